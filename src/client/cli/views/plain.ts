import type { Progress } from '../../types.js';
import { progressText } from '../terminal/bar.js';
import type { Paint } from '../terminal/colour.js';
import type { View } from './view.js';
import { stateOf, wordsOf } from './words.js';

const STEP_PERCENT = 10;
/** Lines of progress are at least this far apart, in ms. */
const LINE_MS = 1000;
/** A job that cannot say how far it is is heard of this often. */
const INDETERMINATE_MS = 10_000;

/** Says which updates are worth a line: a new stage, each ten percent, the hundredth; one a second at most. */
export function createSieve(): (progress: Progress, now: number) => boolean {
  let last: { stage: string | undefined; step: number | null; attempt: number } | undefined;
  let at = Number.NEGATIVE_INFINITY;
  return (progress, now) => {
    const { stage, percent, attempt } = progress;
    const step = percent === null ? null : Math.floor(percent / STEP_PERCENT);
    const news = last?.stage !== stage || last?.attempt !== attempt || last?.step !== step;
    if (now - at < (news ? LINE_MS : step === null ? INDETERMINATE_MS : Number.POSITIVE_INFINITY))
      return false;
    last = { stage, step, attempt };
    at = now;
    return true;
  };
}

/** Without a terminal: lines, few enough for the log of a build. */
export function createPlainView(write: (line: string) => void, paint: Paint): View {
  const worth = createSieve();
  let state = '';
  let broken = false;
  return {
    uploading(progress) {
      if (worth(progress, performance.now())) write(progressText(progress));
    },
    accepted: ({ id, name, deduplicated }) =>
      write(`${deduplicated ? 'Already there' : 'Started'}: ${name} ${id}`),
    event(event) {
      if (event.event === 'progress') {
        if (worth(event.data, performance.now())) write(progressText(event.data));
        return;
      }
      const next = stateOf(event);
      if (next && next !== state) {
        state = next;
        write(next);
      }
      for (const words of wordsOf(event, paint)) write(words);
    },
    status(status) {
      if (status === 'stale') write('Not live. The connection was lost; trying again');
      else if (status === 'live' && broken) write('Connected again');
      broken = status === 'stale';
    },
    note: write,
    question(text) {
      if (text) write(text);
    },
    detached: (_id, _signal, again) => write(`The job goes on. To watch it again: ${again}`),
    close() {},
  };
}
