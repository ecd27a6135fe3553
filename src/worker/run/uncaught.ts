import { asError } from '../../shared/jobs/thrown.js';
import { currentRun, type Run, StopReason } from './run.js';

export interface UncaughtOptions {
  log: { warn(about: { err: unknown; jobId: string }, message: string): void };
  /**
   * What to do about an error that belongs to no run; for a process that is ours alone. Without, such errors are left to
   * the process or thread, as if nobody listened here.
   */
  onFatal?: ((error: unknown) => void) | undefined;
}

const listening = new Set<UncaughtOptions>();

/**
 * Gives errors that nobody catches to the runs that they belong to: a rejection that nobody awaits, or an error thrown in
 * a callback, fails the attempt that caused it and not the process with the jobs of others. Each thread has its own
 * errors, and calls this for itself.
 * @returns what ends it
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
  if (run) return blame(run, error);
  const ours = [...listening].flatMap(({ onFatal }) => onFatal ?? []);
  for (const onFatal of ours) onFatal(error);
  // In a program that has its own way with such errors, this is one of them.
  if (ours.length > 0 || process.listenerCount(event) > 1) return;
  unlisten();
  setImmediate(() => {
    throw error;
  });
}

function blame(run: Run, thrown: unknown): void {
  const error = asError(thrown);
  const [{ log } = { log: undefined }] = listening;
  if (run.ended.aborted || run.stopped) {
    log?.warn({ err: error, jobId: run.jobId }, 'a job that has ended or was stopped left an error behind');
    return;
  }
  log?.warn({ err: error, jobId: run.jobId }, 'an error that nobody caught fails the attempt of its job');
  run.stop(new StopReason('uncaught', error.message, { cause: thrown }));
}

/**
 * Has errors thrown in microtasks keep their context, which Node forgets for `queueMicrotask` alone. For a process or
 * thread that is ours: it replaces a global.
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
