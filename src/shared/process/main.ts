import { StartError } from '../start-error.js';
import type { Logger } from './log.js';
import { onParentGone } from './parent.js';

/** Exit code of a process that would fail the same way again: whoever supervises it should not start it again (EX_CONFIG). */
export const EXIT_CONFIG = 78;

/** What happens when the program that started this process has ended. Until `onShutdown`, there is nothing to close. */
let onLost = (_reason: string): void => process.exit(1);

/**
 * Runs a process's main function. A mistake in configuration or surroundings ends it with one line per mistake
 * on standard error.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  // The supervisor may have ended while our modules were loaded.
  if (process.send && !process.connected) onLost('supervisor gone');
  process.on('disconnect', () => onLost('supervisor gone'));
  onParentGone(() => onLost('parent gone'));
  try {
    await main();
  } catch (error) {
    if (!(error instanceof StartError)) {
      console.error(error);
      process.exit(1);
    }
    for (const line of error.message.split('\n')) console.error(`error: ${line}`);
    process.exit(EXIT_CONFIG);
  }
}

/** How long after its grace time a process may take to close what it has open. */
const CLOSE_MS = 7000;

/**
 * Calls `stop` once, when the process is asked to end (SIGTERM, SIGINT) or has lost its supervisor or parent, and exits
 * when that is done. `stop` gets `graceMs` and some seconds: after that the process exits anyway.
 */
export function onShutdown(log: Logger, graceMs: number, stop: () => Promise<void>): void {
  let stopping = false;
  const shutdown = async (reason: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error('could not stop in time; exiting');
      process.exit(1);
    }, graceMs + CLOSE_MS);
    try {
      await stop();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'could not stop cleanly');
      process.exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void shutdown(signal));
  onLost = (reason) => void shutdown(reason);
}

/** Tells a supervisor, when there is one, that this process is up. */
export function announce(message: { type: 'listening'; url: string } | { type: 'ready' }): void {
  if (process.connected) process.send?.(message);
}
