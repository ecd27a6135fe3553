import { UnrecoverableError } from 'bullmq';
import type { FileStore } from '../../shared/files/store.js';

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
