/** The longest wait before another try, in ms. */
const MAX_MS = 30_000;

/**
 * How long to wait before trying again, in ms: a random time up to a limit that doubles with each failure ("full
 * jitter"), so that those who were cut off together do not come back together.
 * @param failures in a row before this one
 * @param base the limit after the first
 */
export const backoff = (failures: number, base: number, random: () => number = Math.random): number =>
  random() * Math.min(MAX_MS, base * 2 ** failures);

/** Waits; ends early, without an error, when the signal is aborted or the browser is online again. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      globalThis.removeEventListener?.('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
    globalThis.addEventListener?.('online', done);
    if (signal?.aborted) done();
  });
}
