import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A shell may send SIGHUP shortly before its terminal is gone, in ms. */
const CLOSING_MS = 200;

/**
 * Returns a function that tells, after a SIGHUP, whether the terminal was closed in which this process was started. Otherwise
 * the signal was sent by an operator or a service manager, and means: reload.
 */
export function watchTerminal(): () => Promise<boolean> {
  if (!hasTerminal()) return async () => false;
  return async () => {
    await sleep(CLOSING_MS);
    return !hasTerminal();
  };
}

/** Whether the process has a controlling terminal. When a terminal is closed, the kernel takes it from its processes. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
