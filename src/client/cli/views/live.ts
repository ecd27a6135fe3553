import type { WriteStream } from 'node:tty';
import type { Progress } from '../../types.js';
import { progressBar } from '../terminal/bar.js';
import type { Paint } from '../terminal/colour.js';
import { createScreen } from '../terminal/screen.js';
import { cut } from '../terminal/text.js';
import type { View } from './view.js';
import { stateOf, wordsOf } from './words.js';

/** On a terminal: a bar in the last line, everything else above it. */
export function createLiveView(stream: WriteStream, paint: Paint): View {
  const screen = createScreen(stream);
  let state = 'starting';
  let progress: Progress | undefined;
  let broken = false;
  let question: string | undefined;

  function line(now: number): string {
    const { columns } = screen;
    if (question) return paint('bold', cut(question, columns));
    const lost = broken ? 'not live, reconnecting: ' : '';
    const room = columns - lost.length;
    // What is not live has no remaining time.
    const { etaMs, ...rest } = progress ?? {};
    if (progress)
      return paint('yellow', lost) + progressBar(broken ? (rest as Progress) : progress, room, paint, now);
    return (
      paint('yellow', lost) + cut(`${'.'.repeat(1 + (Math.floor(now / 500) % 3)).padEnd(3)} ${state}`, room)
    );
  }
  const print = (text: string): void => screen.print(text);
  const restart = (): void => screen.show(line);

  return {
    uploading(next) {
      progress = next;
      restart();
    },
    accepted({ id, name, deduplicated }) {
      progress = undefined;
      print(paint('dim', `${deduplicated ? 'Already there' : 'Started'}: ${name} ${id}`));
      restart();
    },
    event(event) {
      restart();
      state = stateOf(event) ?? state;
      if (event.event === 'progress') progress = event.data;
      // What an attempt had reached says nothing of the next one.
      else if (stateOf(event) !== undefined || event.event === 'reset') progress = undefined;
      const ends = /^(completed|failed|cancelled)$/.test(event.event);
      if (ends) {
        const last = progress && progressBar(progress, screen.columns, paint, 0);
        screen.clear();
        if (last) print(last);
      }
      for (const words of wordsOf(event, paint)) print(words);
    },
    status(status) {
      broken = status === 'stale';
      if (status !== 'ended') restart();
    },
    note: print,
    question(text) {
      question = text;
      restart();
    },
    detached(_id, _signal, again) {
      screen.clear();
      print(`The job goes on. To watch it again: ${again}`);
    },
    close: () => screen.clear(),
  };
}
