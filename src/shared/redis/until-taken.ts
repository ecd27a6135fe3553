import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisFault } from './faults.js';

export interface RetryOptions {
  /** Aborted when the answer is no longer wanted: then the last error is thrown. */
  signal?: AbortSignal | undefined;
  /** Called with the first error of a row, for the log. */
  onRefused?: (error: unknown) => void;
}

const FIRST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 500;

/** How long to wait before the next try, in ms: 25 after the first, doubled each time, at most 500. */
export const retryWaitMs = (tries: number): number =>
  Math.min(FIRST_WAIT_MS * 2 ** Math.min(tries, 10), LONGEST_WAIT_MS);

/**
 * Repeats a call to Redis until Redis has taken it. The call must be one that may be made twice: when a connection is cut,
 * nobody knows whether Redis got the first.
 * @throws whatever cannot pass, see {@link isRedisFault}; the last error when `signal` is aborted
 */
export async function untilTaken<T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, onRefused } = options;
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!isRedisFault(error) || signal?.aborted) throw error;
      if (tries === 0) onRefused?.(error);
      await sleep(retryWaitMs(tries), undefined, signal ? { signal, ref: false } : { ref: false }).catch(
        () => {
          throw error;
        },
      );
    }
  }
}
