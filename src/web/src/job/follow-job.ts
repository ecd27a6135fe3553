import { type ShallowRef, shallowRef } from 'vue';
import { createJobTimer, type JobTimer } from '../../../client/job-timer.js';
import { createJobStore, type JobStore } from '../../../client/store.js';
import { isTerminal } from '../../../client/topic.js';
import type { JobEvent } from '../../../client/types.js';
import type { WatchedJob } from '../../../client/view.js';
import { client } from '../service';
import { createLog, type JobLog } from './log';
import { addEvent, type MoreOfJob, nothingMore } from './more';

/** A job as the page shows it. */
export interface PageJob extends WatchedJob, MoreOfJob {
  /** All lines of its log, where `logs` has only the newest. */
  log: JobLog;
}

/** Events come one at a time, hundreds in a row: what they make of a job is shown this often, in ms. */
const SHOW_MS = 40;

/** A job that is followed over the connection that all jobs and tabs share. The visitor's cookies open it. */
export interface FollowedJob extends Pick<JobStore, 'cancel' | 'retry'> {
  readonly id: string;
  readonly job: Readonly<ShallowRef<PageJob>>;
  readonly timing: JobTimer['timing'];
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
  const timer = createJobTimer();
  const log = createLog();
  const store: JobStore = createJobStore(client, id, undefined, (event) => {
    more = addEvent(more, event, store.get().attempt);
    timer.event(event);
    log.add(event);
    onEvent?.(event);
  });
  const now = (): PageJob => ({ ...store.get(), ...more, log: log.get() });
  const job = shallowRef(now());
  let pending: ReturnType<typeof setTimeout> | undefined;
  const unsubscribe = store.subscribe(() => {
    timer.status(store.get().status);
    pending ??= setTimeout(() => {
      pending = undefined;
      job.value = now();
    }, SHOW_MS);
  });
  const stop = (): void => {
    clearTimeout(pending);
    unsubscribe();
  };
  return { id, job, cancel: store.cancel, retry: store.retry, timing: timer.timing, stop };
}
