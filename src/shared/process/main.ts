import { StartError } from '../start-error.js';
import type { Logger } from './log.js';
import { onParentGone } from './parent.js';

/** Exit code for a configuration error (EX_CONFIG). A supervisor should not restart the process: it would fail again. */
export const EXIT_CONFIG = 78;

/** Called when the program that started this process has ended. Until `onShutdown` there is nothing to close. */
let onLost = (_reason: string): void => process.exit(1);

/**
 * Runs the main function of a process. A {@link StartError} ends the process with one line per mistake on standard error.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  // The supervisor may have ended while the modules were loaded.
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

/**
 * Ends the process at once because it can no longer use the data in Redis. Running jobs are not handed back, which would
 * write to that data: another worker finds them stalled.
 */
export const exitUnusable = (): never => process.exit(EXIT_CONFIG);

/** How long a process may take to close its connections after the grace period, in ms. */
const CLOSE_MS = 7000;

/**
 * Calls `stop` once when the process gets SIGTERM or SIGINT or has lost its supervisor or parent, then exits. If `stop`
 * takes longer than `graceMs` and {@link CLOSE_MS}, the process exits anyway.
 */
export function onShutdown(log: Logger, graceMs: number, stop: () => Promise<void>): void {
  let stopping = false;
  const shutdown = async (reason: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error('shutdown timed out, exiting');
      process.exit(1);
    }, graceMs + CLOSE_MS);
    try {
      await stop();
      process.exit(0);
    } catch (error) {
      log.error({ err: error }, 'shutdown failed');
      process.exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void shutdown(signal));
  onLost = (reason) => void shutdown(reason);
}

/** Reports to the supervisor, if there is one, that this process is up. */
export function announce(message: { type: 'listening'; url: string } | { type: 'ready' }): void {
  if (process.connected) process.send?.(message);
}
