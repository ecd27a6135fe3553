import type { ReadStream } from 'node:tty';
import { STOP_SIGNALS, type StopSignal } from './output.js';

export interface InterruptOptions {
  /** The terminal for the answer; without one, no question is asked. */
  keyboard: ReadStream | undefined;
  /** Shows the question; `undefined` hides it. */
  question(text: string | undefined): void;
  cancel(): void;
  /** Stops watching the job, which continues. */
  detach(signal: StopSignal): void;
}

const QUESTION = '[c]ancel, [d]etach, Enter to keep watching ';

/** Enter and Escape. */
const KEEP_WATCHING = '\r\n\u001b';

/**
 * Handles Ctrl-C and other stop signals. The first Ctrl-C asks, the second one detaches. Any other signal detaches at
 * once, and so does Ctrl-C without a terminal.
 * @returns a function that stops handling them
 */
export function onInterrupt({ keyboard, question, cancel, detach }: InterruptOptions): () => void {
  let asking = false;
  let cancelling = false;

  function handleSignal(signal: StopSignal): void {
    if (signal !== 'SIGINT' || !keyboard || asking || cancelling) return detachNow(signal);
    asking = true;
    question(QUESTION);
    keyboard.setRawMode(true);
    keyboard.on('data', handleData).resume();
  }

  /** Keys typed quickly arrive together. */
  function handleData(data: Buffer | string): void {
    for (const typed of String(data).toLowerCase()) if (asking) handleKey(typed);
  }

  function handleKey(typed: string): void {
    // In raw mode, Ctrl-C is a key, not a signal.
    if (typed === '\u0003' || typed === 'd') return detachNow('SIGINT');
    if (typed !== 'c' && !KEEP_WATCHING.includes(typed)) return;
    stopAsking();
    if (typed !== 'c') return;
    cancelling = true;
    cancel();
  }

  function stopAsking(): void {
    if (!asking || !keyboard) return;
    asking = false;
    keyboard.setRawMode(false);
    keyboard.off('data', handleData).pause();
    question(undefined);
  }

  function detachNow(signal: StopSignal): void {
    stopAsking();
    detach(signal);
  }

  for (const signal of STOP_SIGNALS) process.on(signal, handleSignal);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, handleSignal);
    stopAsking();
  };
}
