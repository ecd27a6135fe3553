import type { Request } from 'express';
import { parseEventId } from '../../shared/channel/frame.js';
import { HeadwayError } from '../../shared/errors.js';

/** Maximum time that a poll waits, in seconds. Proxies end a request without an answer after 60 seconds. */
export const MAX_WAIT_S = 55;

/** A request for the events after a position, which is answered as soon as there are any. */
export interface PollRequest {
  /** How long to wait for an event, in ms. With 0, the answer is what there is now. */
  waitMs: number;
  /** Whether the answer is JSON, not an event stream. */
  isJson: boolean;
}

/**
 * Returns what a long poll asks for; `undefined` for a request for a stream, which has no `wait`.
 * @throws HeadwayError `invalid-request` for an invalid `wait`
 */
export function pollRequestOf(req: Request): PollRequest | undefined {
  const { wait, after } = req.query;
  if (wait === undefined) return undefined;
  if (typeof wait !== 'string' || !/^\d{1,2}$/.test(wait) || Number(wait) > MAX_WAIT_S) {
    throw new HeadwayError('invalid-request', `wait must be a whole number of seconds, 0 to ${MAX_WAIT_S}.`);
  }
  if (after !== undefined && typeof after !== 'string') {
    throw new HeadwayError('invalid-request', 'Use after only once.');
  }
  const isJson = req.accepts(['application/json', 'text/event-stream']) !== 'text/event-stream';
  return { waitMs: Number(wait) * 1000, isJson };
}

/**
 * Checks the positions of a poll. A stream ignores an id that Headway did not issue; a poll would begin again each time.
 * @throws HeadwayError `invalid-request`
 */
export function checkPositions(given: string, positions: string[]): void {
  const isKnown = (id: string): boolean => id === '' || parseEventId(id) !== undefined;
  if (positions.every(isKnown) && (positions.length === 1 || positions.length === given.split(',').length))
    return;
  throw new HeadwayError(
    'invalid-request',
    positions.length === 1
      ? 'after must be the id of an event, or the `after` of an earlier answer.'
      : `after must be the id of an event of these ${positions.length} channels, or the \`after\` of an earlier answer.`,
  );
}
