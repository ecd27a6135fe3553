import type { ReadStream } from 'node:tty';
import { STOP_SIGNALS, type StopSignal } from './output.js';

export interface InterruptOptions {
  /** Where an answer can be typed; `undefined`: nowhere, then nothing is asked. */
  keyboard: ReadStream | undefined;
  /** Shows the question, or takes it away. */
  question(text: string | undefined): void;
  cancel(): void;
  /** The watching is to end, the job is not. */
  detach(signal: StopSignal): void;
}

const QUESTION = 'c: cancel  d: detach  Enter: go on ';

/** Enter and Escape. */
const GO_ON = '\r\n\u001b';

/**
 * What happens on Ctrl-C and the like. The first Ctrl-C asks, the second one detaches; where nobody can answer, and on
 * any other signal, it detaches at once.
 * @returns ends it
 */
export function onInterrupt({ keyboard, question, cancel, detach }: InterruptOptions): () => void {
  let asking = false;
  let cancelling = false;

  function take(signal: StopSignal): void {
    if (signal !== 'SIGINT' || !keyboard || asking || cancelling) return done(signal);
    asking = true;
    question(QUESTION);
    keyboard.setRawMode(true);
    keyboard.on('data', keys).resume();
  }

  /** Keys that were typed quickly come together. */
  function keys(data: Buffer | string): void {
    for (const typed of String(data).toLowerCase()) if (asking) key(typed);
  }

  function key(typed: string): void {
    // In raw mode Ctrl-C is a key like others, and no signal.
    if (typed === '\u0003' || typed === 'd') return done('SIGINT');
    if (typed !== 'c' && !GO_ON.includes(typed)) return;
    stopAsking();
    if (typed !== 'c') return;
    cancelling = true;
    cancel();
  }

  function stopAsking(): void {
    if (!asking) return;
    asking = false;
    keyboard!.setRawMode(false);
    keyboard!.off('data', keys).pause();
    question(undefined);
  }

  function done(signal: StopSignal): void {
    stopAsking();
    detach(signal);
  }

  for (const signal of STOP_SIGNALS) process.on(signal, take);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, take);
    stopAsking();
  };
}
