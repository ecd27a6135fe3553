import { asError } from '../../shared/jobs/thrown.js';
import { currentRun, type Run, StopReason } from './run.js';

export interface UncaughtOptions {
  log: { warn(about: { err: unknown; jobId: string }, message: string): void };
  /**
   * Called with an error that cannot be assigned to a run, in a process that runs only Headway. Without it, such errors
   * are left to the process or thread as usual.
   */
  onFatal?: ((error: unknown) => void) | undefined;
}

const listening = new Set<UncaughtOptions>();

/**
 * Assigns uncaught errors to the runs that caused them: an unhandled rejection, or an error thrown in a callback, fails
 * its attempt instead of the process with all its jobs. Each thread has its own errors and calls this for itself.
 * @returns a function that turns this off
 */
export function claimUncaught(options: UncaughtOptions): () => void {
  if (listening.size === 0) listen();
  listening.add(options);
  return () => {
    listening.delete(options);
    if (listening.size === 0) unlisten();
  };
}

function listen(): void {
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
}

function unlisten(): void {
  process.off('uncaughtException', onException);
  process.off('unhandledRejection', onRejection);
}

const onException = (error: unknown): void => claim(error, 'uncaughtException');
const onRejection = (reason: unknown): void => claim(reason, 'unhandledRejection');

function claim(error: unknown, event: 'uncaughtException' | 'unhandledRejection'): void {
  const run = currentRun.getStore();
  if (run) return failRun(run, error);
  const handlers = [...listening].flatMap(({ onFatal }) => onFatal ?? []);
  for (const onFatal of handlers) onFatal(error);
  // The embedding program has its own handler for such errors.
  if (handlers.length > 0 || process.listenerCount(event) > 1) return;
  unlisten();
  setImmediate(() => {
    throw error;
  });
}

function failRun(run: Run, thrown: unknown): void {
  const error = asError(thrown);
  const [{ log } = { log: undefined }] = listening;
  if (run.ended.aborted || run.stopped) {
    log?.warn({ err: error, jobId: run.jobId }, 'uncaught error from a job that has ended or was stopped');
    return;
  }
  log?.warn({ err: error, jobId: run.jobId }, 'uncaught error; the attempt of the job fails');
  run.stop(new StopReason('uncaught', error.message, { cause: thrown }));
}

/**
 * Keeps the run of errors that are thrown in `queueMicrotask` callbacks, the only place where Node loses the async
 * context. Replaces a global, so only for processes and threads that run nothing but Headway.
 */
export function keepMicrotaskOwners(): void {
  const queue = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback) =>
    queue(() => {
      try {
        callback();
      } catch (error) {
        onException(error);
      }
    });
}
