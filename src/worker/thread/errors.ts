import { isPermanent } from '../permanent.js';

/** An error on its way between threads: structured clone would lose what is not of a plain `Error`. */
export interface PackedError {
  name: string;
  message: string;
  stack?: string | undefined;
  code?: string | number;
  permanent?: true;
}

export function packError(error: unknown): PackedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(isPermanent(error) ? { permanent: true } : {}),
  };
}

export function unpackError({ name, message, stack, ...further }: PackedError): Error {
  const error = new Error(message);
  Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, further);
}
