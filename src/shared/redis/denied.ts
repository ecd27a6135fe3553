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

/**
 * Reports an error reply to the listeners if a permission is missing.
 * @param call the command and the server, if the reply does not name them
 */
export function noteDenied(reply: Error, call?: string): void {
  if (!isDenied(reply)) return;
  const text = call ? `${reply.message} (${call})` : reply.message;
  if (reported.has(text) || reported.size >= MOST_REPORTED) return;
  reported.add(text);
  for (const listener of listeners) listener(text);
}
