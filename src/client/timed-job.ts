import type { JobReference } from './client.js';
import { createJobTimer } from './job-timer.js';
import { type AnyClient, createJobStore, type JobStore } from './store.js';

/** How often a job's times are updated, in ms. They change without an event. */
const TICK_MS = 1000;

/** A job store that also measures how long the job has made no progress. */
export interface TimedJobStore<R = unknown> extends JobStore<R> {
  /** How long the job has made no progress, in ms, in whole seconds; `undefined` while it makes progress. */
  stalledMs(): number | undefined;
  /** @param onTick called once a second while there is a listener */
  subscribe(listener: () => void, onTick?: () => void): () => void;
}

/** Creates a store of a job with its times, for components that show one job. */
export function createTimedJobStore<R = unknown>(
  client: AnyClient,
  reference: JobReference | undefined,
  token?: string,
): TimedJobStore<R> {
  const timer = createJobTimer();
  const store = createJobStore<R>(client, reference, token, timer.event);
  return {
    ...store,
    stalledMs() {
      const { stalledMs } = timer.timing();
      return stalledMs && Math.floor(stalledMs / 1000) * 1000;
    },
    subscribe(listener, onTick = listener) {
      const clock = setInterval(onTick, TICK_MS);
      const unsubscribe = store.subscribe(() => {
        timer.status(store.get().status);
        listener();
      });
      return () => {
        clearInterval(clock);
        unsubscribe();
      };
    },
  };
}
