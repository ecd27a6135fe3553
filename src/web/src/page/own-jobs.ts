import { onScopeDispose, ref, shallowRef, watch } from 'vue';
import type { Status } from '../../../client/stream.js';
import { isTerminal } from '../../../client/topic.js';
import type { JobNow, JobView, OwnJobEvent } from '../../../client/types.js';
import { fetchOwnJobs, needsSignIn, problemMessage, type StartedJob } from '../api';
import { aboutOf, type JobAbout } from '../job/about';
import { client } from '../service';
import { untilAvailable } from './until-available';

/** A job of the visitor, as last reported by the service. */
export type OwnJob = Pick<JobView, 'id' | 'name' | 'state' | 'createdAt'> &
  JobAbout & {
    percent: number | null;
    paused: boolean;
    noWorker: boolean;
  };

/** Whether the job had not ended then. */
export const isUnfinished = ({ state }: OwnJob): boolean => !isTerminal(state);

/** How many rows are added at a time. */
const ROWS = 10;
/** How many jobs are requested at a time. This includes children, which have no rows. */
const LIMIT = 50;

const ownJob = (job: JobView): OwnJob => ({
  id: job.id,
  name: job.name,
  state: job.state,
  createdAt: job.createdAt,
  percent: job.state === 'completed' ? 100 : (job.progress?.percent ?? null),
  paused: job.paused ?? false,
  noWorker: job.noWorker ?? false,
  ...aboutOf(job),
});

/** Applies an update to a row. Returns the changed row; `undefined` if the job no longer exists. Pure. */
export function updatedJob(job: OwnJob, { state, percent, paused, noWorker }: JobNow): OwnJob | undefined {
  if (state === 'gone') return undefined;
  // A failed job keeps its progress; a waiting job has none.
  const stopped = state === 'failed' || state === 'cancelled' ? job.percent : null;
  return {
    ...job,
    state,
    percent: state === 'completed' ? 100 : (percent ?? stopped),
    paused: paused ?? false,
    noWorker: noWorker ?? false,
  };
}

/** Merges two lists of jobs, newest first. Jobs of the second list replace those of the first. Pure. */
export function mergeJobs(known: OwnJob[], others: OwnJob[]): OwnJob[] {
  const all = new Map([...known, ...others].map((job) => [job.id, job]));
  return [...all.values()].sort((a, b) => b.createdAt - a.createdAt);
}

/**
 * The visitor's jobs, as the service reports them: in every tab and after every reload. They are updated live, even
 * when a job is retried elsewhere.
 * @param isFollowed whether a job's own stream is followed, which reports the job's end sooner and in more detail
 */
export function useOwnJobs(isFollowed: (id: string) => boolean) {
  /** All jobs fetched so far. Only some of them are shown. */
  const known = shallowRef<OwnJob[]>([]);
  const shown = ref(ROWS);
  const next = ref<string>();
  let begun = false;
  const busy = ref(false);
  /** The connection that updates the list is lost: the states of the jobs may be outdated. */
  const stale = ref(false);
  const problem = ref('');

  /** Fetches a page; the newest one if there is no cursor. Children have no rows: they are parts of their parents. */
  async function read(cursor?: string): Promise<void> {
    const page = await untilAvailable(
      () => fetchOwnJobs(LIMIT, cursor),
      () => {},
    );
    const jobs = page.jobs.filter(({ parent }) => parent === undefined).map(ownJob);
    known.value = mergeJobs(known.value, jobs);
    // The newest page does not change how far back the list has been fetched.
    if (cursor !== undefined || !begun) next.value = page.next;
    begun = true;
  }

  async function busily(work: () => Promise<unknown>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    problem.value = '';
    await work().catch((error) => {
      // The page says that already.
      if (!needsSignIn(error)) problem.value = problemMessage(error);
    });
    busy.value = false;
  }

  /** Fetches jobs that were started in another tab, when the visitor returns to this one. */
  const comeBack = (): void => {
    if (document.visibilityState === 'visible') void busily(() => read());
  };
  document.addEventListener('visibilitychange', comeBack);
  onScopeDispose(() => document.removeEventListener('visibilitychange', comeBack));

  function update(change: JobNow): void {
    const { jobId, state } = change;
    const job = known.value.find(({ id }) => id === jobId);
    if (!job || ((state === 'gone' || isTerminal(state)) && isFollowed(jobId))) return;
    const updated = updatedJob(job, change);
    if (JSON.stringify(updated) === JSON.stringify(job)) return;
    known.value = known.value.flatMap((one) => (one === job ? (updated ?? []) : one));
  }

  let resets = 0;
  let unfollow: (() => void) | undefined;
  function handleEvent({ event, data }: OwnJobEvent): void {
    if (event === 'job') update(data);
    // After a lost connection, the stream does not report jobs that ended in the meantime.
    else if (event === 'reset' && resets++ > 0) void busily(() => read());
  }
  function handleStatus(status: Status): void {
    stale.value = status === 'stale';
  }
  // A visitor without jobs has no identity yet, so the service would refuse the stream.
  watch(known, (jobs) => {
    if (jobs.length > 0) unfollow ??= client.watchOwnJobs({ onEvent: handleEvent, onStatus: handleStatus });
  });
  onScopeDispose(() => unfollow?.());

  return {
    known,
    shown,
    next,
    busy,
    problem,
    stale,
    load: () => busily(() => read()),
    /** Shows ten more rows, and fetches them if necessary. */
    more: () =>
      busily(async () => {
        while (known.value.length < shown.value + ROWS && next.value) await read(next.value);
        shown.value += ROWS;
      }),
    add({ id, name }: StartedJob, title: string | undefined): void {
      const fresh = { state: 'waiting', percent: null, paused: false, noWorker: false } as const;
      known.value = mergeJobs(known.value, [
        { id, name, createdAt: Date.now(), ...fresh, ...(title ? { title } : {}) },
      ]);
      shown.value++;
    },
    forget(id: string): void {
      known.value = known.value.filter((job) => job.id !== id);
    },
  };
}
