import { inspect } from 'node:util';

/** Longer messages of errors are cut: they reach viewers, Redis and logs. */
const MAX_MESSAGE = 10_000;
const MAX_NAME = 100;
/** A stack begins with the message. */
const MAX_STACK = 16_000;

/** A message of at most 10,000 characters; a longer one ends with `… (cut)`. */
export const boundMessage = (message: string): string => bound(message, MAX_MESSAGE);

/**
 * What was thrown, as an error whose name, message and stack are bounded texts. JavaScript can throw anything: text, `null`,
 * an object with a message, an error whose message is no text or whose properties throw themselves. Never throws.
 */
export function asError(thrown: unknown): Error {
  const message = messageOf(thrown);
  const error = new Error(message);
  const name = read(thrown, 'name');
  const stack = read(thrown, 'stack');
  Object.defineProperty(error, 'name', {
    value: typeof name === 'string' && name ? bound(name, MAX_NAME) : 'Error',
    configurable: true,
    writable: true,
  });
  error.stack = typeof stack === 'string' ? bound(stack, MAX_STACK) : `${error.name}: ${message}`;
  return error;
}

/** What was thrown, in words that say most. */
function messageOf(thrown: unknown): string {
  const message = read(thrown, 'message');
  if (typeof message === 'string' && message) return boundMessage(message);
  if (message !== undefined && message !== null && message !== '') return boundMessage(textOf(message));
  if (isError(thrown)) {
    const name = read(thrown, 'name');
    return typeof name === 'string' && name && name !== 'Error' ? bound(name, MAX_NAME) : 'unknown error';
  }
  return boundMessage(textOf(thrown)) || 'unknown error';
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  try {
    if (isError(value)) return messageOf(value);
    if (value instanceof String) return value.toString();
    return inspect(value, {
      depth: 2,
      breakLength: Number.POSITIVE_INFINITY,
      maxStringLength: MAX_MESSAGE,
      maxArrayLength: 100,
      // The code of whoever threw it could throw again.
      customInspect: false,
    });
  } catch {
    return 'something was thrown that cannot be read';
  }
}

function isError(value: unknown): boolean {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function read(value: unknown, key: 'name' | 'message' | 'stack'): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined;
  try {
    // The name of a function is not that of an error.
    return typeof value === 'function' && !isError(value)
      ? undefined
      : (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function bound(text: string, max: number): string {
  if (text.length <= max) return text;
  // Not in the middle of a character.
  return `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}… (cut)`;
}
