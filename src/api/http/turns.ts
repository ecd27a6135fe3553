import type { RequestListener } from 'node:http';
import { http2StreamOf } from './over-http2.js';

/** How long work is done in a turn, in ms. */
const TURN_MS = 2;

/** Does work at once, or in a later turn if much has been done in this one. Work keeps its order. */
export type Turns = (work: () => void) => void;

/**
 * Does work that comes in bursts in turns with everything else that the process does. A thousand connections may bring
 * their bytes, or time out, at once: handled one after another, they would delay each event and heartbeat by half a second.
 * @param turnMs how long a turn takes, in ms; its last piece of work is done to its end. Defaults to 2
 */
export function createTurns(turnMs = TURN_MS): Turns {
  const waiting: (() => void)[] = [];
  let usedMs = 0;
  let isNextPlanned = false;

  const planNext = (): void => {
    if (isNextPlanned) return;
    isNextPlanned = true;
    setImmediate(next);
  };
  const run = (work: () => void): void => {
    const begunAt = performance.now();
    work();
    usedMs += performance.now() - begunAt;
  };
  function next(): void {
    isNextPlanned = false;
    usedMs = 0;
    if (waiting.length > 1) planNext();
    for (let work = waiting.shift(); work; work = usedMs < turnMs ? waiting.shift() : undefined) run(work);
  }

  return (work) => {
    planNext();
    if (waiting.length > 0 || usedMs >= turnMs) waiting.push(work);
    else run(work);
  };
}

/** Handles requests in turns. */
export const inTurns =
  (turns: Turns, handle: RequestListener): RequestListener =>
  (request, response) =>
    turns(() => {
      // Nobody would notice the end of a connection that has ended while the request waited.
      if (!request.destroyed && !response.closed && !http2StreamOf(response)?.closed) {
        handle(request, response);
      }
    });
