import { setTimeout as sleep } from 'node:timers/promises';
import { isRedisFault } from './faults.js';

export interface RetryOptions {
  /** Aborts the retries: the last error is thrown. */
  signal?: AbortSignal | undefined;
  /** Called with the first error, for the log. */
  onRefused?: (error: unknown) => void;
}

const FIRST_WAIT_MS = 25;
const LONGEST_WAIT_MS = 500;

/** Returns the wait before the next try, in ms: 25 after the first, then doubled each time up to 500. */
export const retryWaitMs = (tries: number): number =>
  Math.min(FIRST_WAIT_MS * 2 ** Math.min(tries, 10), LONGEST_WAIT_MS);

/**
 * Repeats a call to Redis until it succeeds. The call must be idempotent: after a lost connection it is unknown whether Redis
 * has processed it.
 * @throws any error that is not a fault of Redis (see {@link isRedisFault}), and the last error if `signal` is aborted
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
