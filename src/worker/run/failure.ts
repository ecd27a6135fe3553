import { HeadwayError, type PermanentError } from '../../shared/errors.js';
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
