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
 * Calls a listener when the page may have been asleep or cut off: it was frozen, restored or offline, or its visibility has
 * changed.
 * @returns a function that removes the listener
 */
export function onWake(listener: () => void): () => void {
  const change = (method: 'addEventListener' | 'removeEventListener'): void => {
    const { document } = globalThis;
    for (const type of ['online', 'pageshow']) (globalThis as Partial<EventTarget>)[method]?.(type, listener);
    for (const type of ['visibilitychange', 'resume']) document?.[method]?.(type, listener);
  };
  change('addEventListener');
  return () => change('removeEventListener');
}

/** Waits for a time, in ms. Resolves early, without an error, when the signal is aborted, or after {@link onWake}. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stopListening();
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    const stopListening = onWake(done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
