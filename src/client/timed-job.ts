import type { JobReference } from './client.js';
import { createJobTimer } from './job-timer.js';
import type { Timing } from './pace.js';
import { type AnyClient, createJobStore, type JobStore } from './store.js';

/** How often a job's times are updated, in ms. They change without an event. */
const TICK_MS = 1000;

/** The times of a job that depend on the clock, in ms. */
export type Waits = { [Time in 'stalledMs' | 'beginsInMs']?: Timing[Time] | undefined };

const inSeconds = (ms: number | undefined): number | undefined => ms && Math.floor(ms / 1000) * 1000;

/** A job store that also has what depends on the clock. */
export interface TimedJobStore<R = unknown> extends JobStore<R> {
  /** How long the job has made no progress, and until it begins, in whole seconds. The same object until a value changes. */
  timing(): Waits;
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
  let newest: Waits = {};
  return {
    ...store,
    timing() {
      const { stalledMs, beginsInMs } = timer.timing();
      const next = { stalledMs: inSeconds(stalledMs), beginsInMs: inSeconds(beginsInMs) };
      if (next.stalledMs !== newest.stalledMs || next.beginsInMs !== newest.beginsInMs) newest = next;
      return newest;
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
