import { HeadwayError, type PermanentError } from '../../shared/errors.js';

/** Whether an error is one that another attempt cannot mend. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof HeadwayError) return error.status < 500;
  return (error as Partial<PermanentError> | undefined)?.permanent === true;
}
