import { backoff, pause } from '../../../client/backoff';
import { isUnavailable } from '../api';

/** The limit of the first wait, and the longest one, in ms. */
const WAIT_MS = { first: 1000, most: 5000 };

/**
 * Calls the service until it answers.
 * @param onAway called whenever it does not
 * @throws ProblemError for an answer that will not pass
 */
export async function untilAvailable<T>(work: () => Promise<T>, onAway: () => void): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      onAway();
      await pause(Math.min(WAIT_MS.most, 250 + backoff(failures, WAIT_MS.first)));
    }
  }
}
