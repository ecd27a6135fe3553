import { inspect } from 'node:util';

/** The maximum length of an error message. Messages reach viewers, Redis and logs. */
const MAX_MESSAGE = 10_000;
const MAX_NAME = 100;
/** The maximum length of a stack, which starts with the message. */
const MAX_STACK = 16_000;

/** Shortens a message to 10,000 characters; a longer one ends with `… (cut)`. */
export const boundMessage = (message: string): string => bound(message, MAX_MESSAGE);

/**
 * Converts a thrown value to an error with name, message and stack of bounded length. JavaScript can throw anything: text,
 * `null`, an object with a message, an error with a message that is not text, or with properties that throw when they are
 * read. Never throws.
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

/** Returns the most informative text for a thrown value. */
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
      // Custom inspection is foreign code and could throw.
      customInspect: false,
    });
  } catch {
    return 'an unreadable value was thrown';
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
    // A function's `name` is not the name of an error.
    return typeof value === 'function' && !isError(value)
      ? undefined
      : (value as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function bound(text: string, max: number): string {
  if (text.length <= max) return text;
  // Does not end in half of a surrogate pair.
  return `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}… (cut)`;
}
