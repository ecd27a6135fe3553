import { jobEvents } from './job-events.js';
import { streamEvents } from './stream-events.js';

const TYPE = /^[A-Za-z0-9._:-]{1,100}$/;

/** Event names that Headway or browsers use on a stream. */
const RESERVED = new Set([
  ...Object.keys(jobEvents),
  ...Object.keys(streamEvents),
  ...['error', 'open', 'message'],
]);

/** Returns why a custom event of a job cannot have a name; `undefined` if it can. */
export function eventTypeError(type: unknown): string | undefined {
  if (typeof type !== 'string' || !TYPE.test(type)) {
    return 'a type must have 1 to 100 characters of A-Z a-z 0-9 . _ : -';
  }
  return RESERVED.has(type) ? `the type "${type}" is reserved` : undefined;
}
