/**
 * A process cannot start because of its configuration or its environment. The message says what to change, one line per
 * mistake, and is printed without a stack trace.
 */
export class StartError extends Error {
  override name = 'StartError';
}
