import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Replies of Redis that pass by themselves: a failover (READONLY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, NOREPLICAS), a slow
 * script (BUSY), a restart (LOADING), a full memory (OOM) or disk (MISCONF), a user that is being changed (NOAUTH).
 */
const REFUSED =
  /^(?:(?:ERR|EXECABORT|UNKILLABLE) .*)?\b(?:READONLY|BUSY|LOADING|OOM|MISCONF|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|NOAUTH)\b/;

/** What ioredis and the operating system say of a connection that is not there, or was cut. */
const CUT =
  /Connection is closed|Command aborted due to connection close|Command timed out|Stream isn't writeable|max retries per request|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND|EAI_AGAIN|Redis did not answer|None of startup nodes is available|Cluster isn't ready/;

/** Whether a call to Redis failed for a reason that can pass: the connection was cut, or Redis refused for the moment. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { message, name } = error;
  const { code } = error as NodeJS.ErrnoException;
  return (
    name === 'MaxRetriesPerRequestError' ||
    name === 'ServerReplacedError' ||
    CUT.test(message) ||
    CUT.test(code ?? '') ||
    REFUSED.test(message)
  );
}

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
 * @throws whatever cannot pass, see {@link isTransient}; the last error when `signal` is aborted
 */
export async function untilTaken<T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, onRefused } = options;
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!isTransient(error) || signal?.aborted) throw error;
      if (tries === 0) onRefused?.(error);
      await sleep(retryWaitMs(tries), undefined, signal ? { signal, ref: false } : { ref: false }).catch(
        () => {
          throw error;
        },
      );
    }
  }
}
