import { UnrecoverableError } from 'bullmq';
import { HeadwayError, type PermanentError } from '../../shared/errors.js';
import type { FileStore } from '../../shared/files/store.js';
import { asError } from '../../shared/jobs/thrown.js';
import { isRedisFault } from '../../shared/redis/faults.js';

/** Whether another attempt would fail with the same error. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof HeadwayError) return error.status < 500;
  return (error as Partial<PermanentError> | undefined)?.permanent === true;
}

/** Returns what a job threw, or a description of it if reading its properties throws. */
export function readable(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error) void [thrown.name, thrown.message, thrown.stack, thrown.cause];
    isPermanent(thrown);
    isRedisFault(thrown);
    return thrown;
  } catch {
    return asError(thrown);
  }
}

/** Returns an error with a message for viewers: without paths of files. The stack, for operators, is kept. */
export function concealed(error: Error, store: FileStore): Error {
  if (typeof error.message !== 'string') return error;
  const message = store.conceal(error.message);
  if (message === error.message) return error;
  // BullMQ recognises `UnrecoverableError` by its class or name. Its other errors contain no text of a job.
  const shown = error.name === 'UnrecoverableError' ? new UnrecoverableError(message) : new Error(message);
  if (error.stack) shown.stack = error.stack;
  return shown;
}
