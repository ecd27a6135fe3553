/**
 * Makes calls with the same key share a run: one that comes during a run shares the next one with all others that come
 * until then. So each result was read after the call, as if the calls did not share.
 */
export function shareCalls<T>(work: (key: string) => Promise<T>): (key: string) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  const next = new Map<string, Promise<T>>();

  function start(key: string): Promise<T> {
    next.delete(key);
    const run = work(key).finally(() => running.delete(key));
    running.set(key, run);
    return run;
  }

  function startAfter(run: Promise<T>, key: string): Promise<T> {
    const startNext = (): Promise<T> => start(key);
    const planned = run.then(startNext, startNext);
    next.set(key, planned);
    return planned;
  }

  return (key) => {
    const current = running.get(key);
    return next.get(key) ?? (current ? startAfter(current, key) : start(key));
  };
}
