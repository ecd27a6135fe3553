/** The longest wait before another attempt, in ms: while the page is visible, and while it is hidden. */
const MAX_MS = { visible: 5000, hidden: 30_000 };

/** Whether the page is visible. A shared worker replaces `isVisible`: its tabs report their visibility to it. */
export const visibility = {
  isVisible: (): boolean => globalThis.document?.visibilityState === 'visible',
};

/**
 * Returns how long to wait before the next attempt, in ms: a random time up to a limit that doubles with each failure
 * ("full jitter"). Clients that lost their connection at the same moment thus return at different times.
 * @param failures consecutive failures before this one
 * @param base the limit after the first failure
 */
export const backoff = (failures: number, base: number, random: () => number = Math.random): number =>
  random() * Math.min(visibility.isVisible() ? MAX_MS.visible : MAX_MS.hidden, base * 2 ** failures);

/**
 * Waits for a time, in ms. Resolves early, without an error, when the signal is aborted, the browser comes online, or
 * the page's visibility changes.
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
