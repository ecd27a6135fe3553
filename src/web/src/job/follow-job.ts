import { type ShallowRef, shallowRef } from 'vue';
import { createJobTimer, type JobTimer } from '../../../client/job-timer.js';
import { createJobStore, type JobStore } from '../../../client/store.js';
import { isTerminal } from '../../../client/topic.js';
import type { JobEvent } from '../../../client/types.js';
import type { WatchedJob } from '../../../client/view.js';
import { client } from '../service';
import { createLog, type JobLog } from './log';
import { applyEvent, emptyState, type PageJobState } from './page-job-state';

/** A job, with what this page shows and other viewers do not. */
export interface PageJob extends WatchedJob, PageJobState {
  /** All lines of the log; `logs` has only the newest. */
  log: JobLog;
}

/** The time between two updates of the page, in ms: events often come by the hundred. */
const SHOW_MS = 40;

/** A job that is followed over the connection shared by all jobs and tabs. The visitor's cookies grant access. */
export interface FollowedJob extends Pick<JobStore, 'cancel' | 'retry'> {
  readonly id: string;
  readonly job: Readonly<ShallowRef<PageJob>>;
  readonly timing: JobTimer['timing'];
  stop(): void;
}

/** Whether the job has ended. */
export const isEnded = ({ state }: Pick<PageJob, 'state'>): boolean => isTerminal(state);
/** Whether the job is known and has not ended. */
export const isUnderWay = ({ state, problem }: Pick<PageJob, 'state' | 'problem'>): boolean =>
  state !== 'unknown' && !isTerminal(state) && !problem;

/** Whether the job has not started yet. */
export const isWaiting = ({ state }: Pick<PageJob, 'state'>): boolean =>
  state === 'waiting' || state === 'delayed';

/** @param onEvent called with each event of the job */
export function followJob(id: string, onEvent?: (event: JobEvent) => void): FollowedJob {
  let pageState = emptyState;
  const timer = createJobTimer();
  const log = createLog();
  const store: JobStore = createJobStore(client, id, undefined, (event) => {
    pageState = applyEvent(pageState, event, store.get().attempt);
    timer.event(event);
    log.add(event);
    onEvent?.(event);
  });
  const now = (): PageJob => ({ ...store.get(), ...pageState, log: log.get() });
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
