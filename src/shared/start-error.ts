/**
 * A process cannot start as it is configured, or with what it finds around it. The message says what to change, in a line
 * for each mistake; it is printed without a stack.
 */
export class StartError extends Error {
  override name = 'StartError';
}
