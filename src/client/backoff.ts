/** The longest wait before another try, in ms: where somebody looks, and where nobody does. */
const MOST_MS = { seen: 5000, unseen: 30_000 };

/** Whether somebody looks at what is waited for. A shared worker hears that from its tabs. */
export const sight = { isSeen: (): boolean => globalThis.document?.visibilityState === 'visible' };

/**
 * How long to wait before trying again, in ms: a random time up to a limit that doubles with each failure ("full
 * jitter"), so that those who were cut off together do not come back together.
 * @param failures in a row before this one
 * @param base the limit after the first
 */
export const backoff = (failures: number, base: number, random: () => number = Math.random): number =>
  random() * Math.min(sight.isSeen() ? MOST_MS.seen : MOST_MS.unseen, base * 2 ** failures);

/**
 * Waits; ends early, without an error, when the signal is aborted, the browser is online again, or the page comes into
 * sight.
 */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const wakers: Array<[Partial<EventTarget> | undefined, string]> = [
    [signal, 'abort'],
    [globalThis, 'online'],
    [globalThis.document, 'visibilitychange'],
  ];
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const [target, event] of wakers) target?.removeEventListener?.(event, done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const [target, event] of wakers) target?.addEventListener?.(event, done);
    if (signal?.aborted) done();
  });
}
