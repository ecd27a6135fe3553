import { StartError } from '../start-error.js';
import type { Logger } from './log.js';
import { onParentGone } from './parent.js';
import { CLOSE_MS } from './stop-settings.js';

/** Exit code for a configuration error (EX_CONFIG). A supervisor should not restart the process: it would fail again. */
export const EXIT_CONFIG = 78;

/** The reason to stop of a process whose place another one has taken: see {@link requestStop}. */
export const REPLACED = 'replaced by another process';

/** A second signal within this time counts as the same request, in ms: a terminal and npm both send Ctrl-C to a process. */
const SAME_REQUEST_MS = 1000;

/** Stops the process. Until `onShutdown` there is nothing to close, also while the process waits for Redis. */
let stop = (_reason: string, _isSignal: boolean): void => process.exit(0);

/**
 * Runs the main function of a process. A {@link StartError} ends the process with one line per mistake on standard error.
 * SIGTERM, SIGINT and the end of the supervisor or parent stop the process: see {@link onShutdown}.
 */
export async function runMain(main: () => Promise<void>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal, true));
  // The supervisor may have ended while the modules were loaded.
  if (process.send && !process.connected) stop('supervisor gone', false);
  process.on('disconnect', () => stop('supervisor gone', false));
  onParentGone(() => stop('parent gone', false));
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

/** Stops the process as a first signal does. @param reason for the log; see {@link REPLACED} */
export const requestStop = (reason: string): void => stop(reason, false);

/**
 * Calls `close` once, with the reason, when the process gets SIGTERM or SIGINT or has lost its supervisor or parent, then exits with 0. If
 * `close` takes longer than `graceMs` returns and {@link CLOSE_MS}, the process exits with 0 anyway: what hangs (Redis, code of the
 * operator) cannot be closed later either. A second signal exits at once, with 1.
 */
export function onShutdown(
  log: Logger,
  graceMs: (reason: string) => number,
  close: (reason: string) => Promise<void>,
): void {
  let askedAt: number | undefined;
  stop = (reason, isSignal) => {
    const now = performance.now();
    if (askedAt === undefined) {
      askedAt = now;
      log.info({ reason }, 'stopping');
      void shutDown(reason);
    } else if (isSignal && now - askedAt > SAME_REQUEST_MS) {
      log.warn({ reason }, 'asked to stop again: exiting at once');
      process.exit(1);
    }
  };
  async function shutDown(reason: string): Promise<void> {
    setTimeout(() => {
      log.warn('shutdown timed out: exiting with open connections');
      process.exit(0);
    }, graceMs(reason) + CLOSE_MS);
    try {
      await close(reason);
    } catch (error) {
      log.error({ err: error }, 'an error occurred while stopping');
    }
    process.exit(0);
  }
}

/** What a process reports when it is up: an API process its address, and both kinds that of their metrics. */
export type UpReport = { metrics?: string | undefined } & (
  | { type: 'listening'; url: string }
  | { type: 'ready' }
);

/** Reports to the supervisor, if there is one, that this process is up. */
export function announce(message: UpReport): void {
  if (process.connected) process.send?.(message);
}
