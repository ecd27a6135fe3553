import { isDenied } from './faults.js';

const listeners = new Set<(reply: string) => void>();
/** Replies that were reported. There are few, because each names a command, a key or a channel. */
const reported = new Set<string>();
const MOST_REPORTED = 100;

/**
 * Calls a listener once for each different reply of Redis, on any connection of this process, that refuses a command for lack
 * of a permission.
 * @returns a function that removes the listener
 */
export function onDenied(listener: (reply: string) => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Reports an error reply to the listeners if a permission is missing. */
export function noteDenied(reply: Error): void {
  if (!isDenied(reply) || reported.has(reply.message) || reported.size >= MOST_REPORTED) return;
  reported.add(reply.message);
  for (const listener of listeners) listener(reply.message);
}
