import type { Progress } from '../../types.js';
import { progressText } from '../terminal/bar.js';
import type { Paint } from '../terminal/colour.js';
import { eventLines, stateLabel } from './labels.js';
import type { View } from './view.js';

const STEP_PERCENT = 10;
/** The shortest time between two lines of progress, in ms. */
const LINE_MS = 1000;
/** The time between two lines of progress for a job with unknown progress, in ms. */
const INDETERMINATE_MS = 10_000;

/** Creates a filter for progress: a line for each new stage and every ten percent, at most one a second. */
export function createProgressFilter(): (progress: Progress, now: number) => boolean {
  let last: { stage: string | undefined; step: number | null; attempt: number } | undefined;
  let at = Number.NEGATIVE_INFINITY;
  return (progress, now) => {
    const { stage, percent, attempt } = progress;
    const step = percent === null ? null : Math.floor(percent / STEP_PERCENT);
    const changed = last?.stage !== stage || last?.attempt !== attempt || last?.step !== step;
    const gapMs = changed ? LINE_MS : step === null ? INDETERMINATE_MS : Number.POSITIVE_INFINITY;
    if (now - at < gapMs) return false;
    last = { stage, step, attempt };
    at = now;
    return true;
  };
}

/** The view for output that is not a terminal. It prints few lines, for the logs of builds. */
export function createPlainView(write: (line: string) => void, paint: Paint): View {
  const passes = createProgressFilter();
  let state = '';
  let broken = false;
  return {
    uploading(progress) {
      if (passes(progress, performance.now())) write(progressText(progress));
    },
    accepted: ({ id, name, deduplicated }) =>
      write(`${deduplicated ? 'Existing job' : 'Started'}: ${name} ${id}`),
    event(event) {
      if (event.event === 'progress') {
        if (passes(event.data, performance.now())) write(progressText(event.data));
        return;
      }
      const next = stateLabel(event);
      if (next && next !== state) {
        state = next;
        write(next);
      }
      for (const line of eventLines(event, paint)) write(line);
    },
    status(status) {
      if (status === 'stale') write('Disconnected. Reconnecting');
      else if (status === 'live' && broken) write('Reconnected');
      broken = status === 'stale';
    },
    note: write,
    question(text) {
      if (text) write(text);
    },
    detached: (_id, _signal, again) => write(`The job continues. Watch it again with: ${again}`),
    close() {},
  };
}
