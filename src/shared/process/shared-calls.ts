import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Makes calls with the same key share a run: one that comes during a run shares the next one with all others that come
 * until then. So each result was read after the call, as if the calls did not share.
 * @param pauseMs how long the next run waits for further calls; a call that comes alone does not wait. Defaults to 0
 */
export function shareCalls<T>(work: (key: string) => Promise<T>, pauseMs = 0): (key: string) => Promise<T> {
  const running = new Map<string, Promise<T>>();
  const next = new Map<string, Promise<T>>();

  function start(key: string): Promise<T> {
    next.delete(key);
    const run = work(key).finally(() => running.delete(key));
    running.set(key, run);
    return run;
  }

  function startAfter(run: Promise<T>, key: string): Promise<T> {
    const pause = (): unknown => (pauseMs > 0 ? sleep(pauseMs) : undefined);
    const planned = run.then(pause, pause).then(() => start(key));
    next.set(key, planned);
    return planned;
  }

  return (key) => {
    const current = running.get(key);
    return next.get(key) ?? (current ? startAfter(current, key) : start(key));
  };
}
