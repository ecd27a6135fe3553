import { ChildFailedError, type JobError } from '../../../shared/errors.js';
import { asError } from '../../../shared/jobs/thrown.js';
import { isPermanent } from '../failure.js';

/** An error as it is sent between threads. Structured clone would lose all but the fields of a plain `Error`. */
export interface PackedError {
  name: string;
  message: string;
  stack?: string | undefined;
  code?: string | number;
  permanent?: true;
  /** Fields of a {@link ChildFailedError}. */
  child?: { jobId: string; jobName: string; error: JobError };
}

export function packError(error: unknown): PackedError {
  const { name, message, stack } = asError(error);
  const plain = { name, message, stack };
  try {
    return { ...plain, ...extraFields(error) };
  } catch {
    // Reading a property of the error throws.
    return plain;
  }
}

function extraFields(error: unknown): Partial<PackedError> {
  const { code } = (error ?? {}) as { code?: unknown };
  return {
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(isPermanent(error) ? { permanent: true } : {}),
    ...(error instanceof ChildFailedError ? { child: childOf(error) } : {}),
  };
}

export function unpackError({ name, message, stack, child, ...further }: PackedError): Error {
  const error = child ? new ChildFailedError(child.jobId, child.jobName, child.error) : new Error(message);
  if (!child) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, further);
}

const childOf = ({ jobId, jobName, error }: ChildFailedError) => ({ jobId, jobName, error });
