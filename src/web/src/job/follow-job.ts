import { type ShallowRef, shallowRef } from 'vue';
import { createJobStore, defaultClient, type JobStore } from '../../../client/store.js';
import { isTerminal } from '../../../client/topic.js';
import type { JobEvent } from '../../../client/types.js';
import type { WatchedJob } from '../../../client/view.js';
import { addEvent, type MoreOfJob, nothingMore } from './more';

/** A job as the page shows it. */
export interface PageJob extends WatchedJob, MoreOfJob {}

/** A job that is followed over the connection that all jobs and tabs share. The visitor's cookies open it. */
export interface FollowedJob extends Pick<JobStore, 'cancel' | 'retry'> {
  readonly id: string;
  readonly job: Readonly<ShallowRef<PageJob>>;
  stop(): void;
}

/** Whether nothing more comes of it. */
export const isEnded = ({ state }: Pick<PageJob, 'state'>): boolean => isTerminal(state);
/** Whether it is on its way. */
export const isUnderWay = ({ state, problem }: Pick<PageJob, 'state' | 'problem'>): boolean =>
  state !== 'unknown' && !isTerminal(state) && !problem;

/** Whether it has yet to begin for the first time. */
export const isWaiting = ({ state }: Pick<PageJob, 'state'>): boolean =>
  state === 'waiting' || state === 'delayed';

/** @param onEvent hears of each event */
export function followJob(id: string, onEvent?: (event: JobEvent) => void): FollowedJob {
  let more = nothingMore;
  const store: JobStore = createJobStore(defaultClient(), id, undefined, (event) => {
    more = addEvent(more, event, store.get().attempt);
    onEvent?.(event);
  });
  const job = shallowRef<PageJob>({ ...store.get(), ...more });
  const stop = store.subscribe(() => {
    job.value = { ...store.get(), ...more };
  });
  return { id, job, cancel: store.cancel, retry: store.retry, stop };
}
