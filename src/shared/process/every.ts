import type { Service } from './service.js';

/**
 * Makes concurrent calls of a function share one run: a call during a run gets the promise of that run, and its own
 * arguments are ignored.
 */
export function singleFlight<A extends unknown[], T>(
  work: (...args: A) => Promise<T>,
): (...args: A) => Promise<T> {
  let running: Promise<T> | undefined;
  return (...args) => {
    running ??= work(...args).finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** Work that is repeated: see {@link every}. */
export interface Repeated extends Service {
  /** Does the work now. During a round, it waits for that round; after `stop`, it does nothing. Never rejects. */
  run(): Promise<void>;
}

/**
 * Does some work every `ms` milliseconds, the first time after `ms`. Rounds do not overlap: a turn that comes during a
 * round is skipped.
 * @param onError called with the error of a failed round; the next round starts as planned
 */
export function every(ms: number, work: () => Promise<unknown>, onError: (error: unknown) => void): Repeated {
  let stopped = false;
  let running: Promise<void> | undefined;
  const round = singleFlight(async () => {
    try {
      await work();
    } catch (error) {
      onError(error);
    }
  });
  const run = (): Promise<void> => {
    if (stopped) return Promise.resolve();
    running = round();
    return running;
  };
  const timer = setInterval(() => void run(), ms);
  return {
    run,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
