import { backoff, pause } from '../../../client/backoff';
import { ProblemError } from '../../../client/errors';
import { isUnavailable } from '../api';

/** The limit of the first delay, and the longest delay, in ms. */
const WAIT_MS = { first: 1000, most: 5000 };

/**
 * Repeats a call until the service responds.
 * @param onAway called after each call without a response
 * @throws ProblemError for an error that is not temporary
 */
export async function untilAvailable<T>(work: () => Promise<T>, onAway: () => void): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      onAway();
      const wait = Math.min(WAIT_MS.most, 250 + backoff(failures, WAIT_MS.first));
      await pause(wait + retryAfterMs(error));
    }
  }
}

/** How long the service asks to wait. */
const retryAfterMs = (error: unknown): number =>
  error instanceof ProblemError ? Number(error.problem.retryAfterMs ?? 0) : 0;
