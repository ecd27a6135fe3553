import type { WriteStream } from 'node:tty';
import { createJobTimer } from '../../job-timer.js';
import { positionLabel } from '../../labels/job-labels.js';
import { isTerminal } from '../../topic.js';
import type { Progress, QueuePosition } from '../../types.js';
import { progressBar, type ShownProgress } from '../terminal/bar.js';
import type { Paint } from '../terminal/colour.js';
import { createScreen } from '../terminal/screen.js';
import { cut } from '../terminal/text.js';
import { clock } from '../terminal/units.js';
import { eventLines, stateLabel } from './labels.js';
import type { View } from './view.js';

/** The view for a terminal: a bar in the last line, everything else above it. */
export function createLiveView(stream: WriteStream, paint: Paint): View {
  const screen = createScreen(stream);
  const timer = createJobTimer();
  let state = 'starting';
  let progress: Progress | undefined;
  let position: QueuePosition = {};
  let uploading: Progress | undefined;
  let broken = false;
  let question: string | undefined;

  function line(now: number): string {
    const { columns } = screen;
    if (question) return paint('bold', cut(question, columns));
    const lost = broken ? 'disconnected, reconnecting: ' : '';
    const room = columns - lost.length;
    const front = paint('yellow', lost);
    if (uploading) return front + progressBar(uploading, room, paint, now);
    if (progress) return front + progressBar(timed(progress), room, paint, now);
    const dots = '.'.repeat(1 + (Math.floor(now / 500) % 3)).padEnd(3);
    const timing = timer.timing();
    const { elapsedMs } = timing;
    const place = positionLabel(position, timing);
    const elapsed = elapsedMs === undefined ? '' : `  ${clock(elapsedMs)} elapsed`;
    return front + cut(`${dots} ${state}${place && `: ${place}`}${elapsed}`, room);
  }
  /** Progress with the current times in place of those at the time of the report. */
  const timed = ({ etaMs: _eta, ratePerSecond: _rate, ...reached }: Progress): ShownProgress => ({
    ...reached,
    ...timer.timing(),
  });
  /** The bar of a job that has ended: with its last rate and its total time. */
  const last = ({ etaMs: _eta, ...reached }: Progress): ShownProgress => ({ ...reached, ...timer.timing() });
  const print = (text: string): void => screen.print(text);
  const restart = (): void => screen.show(line);

  return {
    uploading(next) {
      uploading = next;
      restart();
    },
    accepted({ id, name, deduplicated }) {
      uploading = undefined;
      print(paint('dim', `${deduplicated ? 'Existing job' : 'Started'}: ${name} ${id}`));
      restart();
    },
    event(event) {
      restart();
      timer.event(event);
      state = stateLabel(event) ?? state;
      if (event.event === 'queue') position = event.data;
      else if (stateLabel(event)) position = {};
      if (event.event === 'progress') progress = event.data;
      // The progress of one attempt does not apply to the next one.
      else if ((stateLabel(event) && event.event !== 'queue') || event.event === 'reset')
        progress = undefined;
      if (isTerminal(event.event)) {
        screen.clear();
        if (progress) print(progressBar(last(progress), screen.columns, paint, undefined));
      }
      for (const line of eventLines(event, paint)) print(line);
    },
    status(status) {
      broken = status === 'stale';
      timer.status(status);
      if (status !== 'ended') restart();
    },
    note: print,
    question(text) {
      question = text;
      restart();
    },
    detached(_id, _signal, again) {
      screen.clear();
      print(`The job continues. Watch it again with: ${again}`);
    },
    close: () => screen.clear(),
  };
}
