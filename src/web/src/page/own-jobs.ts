import { onScopeDispose, ref, shallowRef, watch } from 'vue';
import { isTerminal } from '../../../client/topic.js';
import type { JobNow, JobView, OwnJobEvent } from '../../../client/types.js';
import { fetchOwnJobs, problemWords, type StartedJob } from '../api';
import { client } from '../service';
import { untilAvailable } from './until-available';

/** A job of the visitor's own, as the service last told of it. */
export type OwnJob = Pick<JobView, 'id' | 'name' | 'state' | 'createdAt'> & {
  percent: number | null;
  paused: boolean;
  noWorker: boolean;
};

/** Whether it had not ended then. */
export const isUnfinished = ({ state }: OwnJob): boolean => !isTerminal(state);

/** Rows that come at a time. */
const ROWS = 10;
/** Jobs that are asked for at a time: the children among them are no rows. */
const LIMIT = 50;

const ownJob = (job: JobView): OwnJob => ({
  id: job.id,
  name: job.name,
  state: job.state,
  createdAt: job.createdAt,
  percent: job.state === 'completed' ? 100 : (job.progress?.percent ?? null),
  paused: job.paused ?? false,
  noWorker: job.noWorker ?? false,
});

/** A row after news of its job; `undefined` when there is no such job any more. Pure. */
export function movedJob(job: OwnJob, { state, percent, paused, noWorker }: JobNow): OwnJob | undefined {
  if (state === 'gone') return undefined;
  // What has failed is where it stopped; what waits is nowhere yet.
  const stopped = state === 'failed' || state === 'cancelled' ? job.percent : null;
  return {
    ...job,
    state,
    percent: state === 'completed' ? 100 : (percent ?? stopped),
    paused: paused ?? false,
    noWorker: noWorker ?? false,
  };
}

/** Known jobs with others, newest first; what comes anew replaces what was known. Pure. */
export function mergeJobs(known: OwnJob[], others: OwnJob[]): OwnJob[] {
  const all = new Map([...known, ...others].map((job) => [job.id, job]));
  return [...all.values()].sort((a, b) => b.createdAt - a.createdAt);
}

/**
 * The visitor's own jobs, as the service knows them: in every tab, after every reload. A job that is run again, here or
 * elsewhere, moves on.
 * @param isFollowed whether a job's own stream is followed, which knows its end sooner and better
 */
export function useOwnJobs(isFollowed: (id: string) => boolean) {
  /** All that has been read; a part of it is shown. */
  const known = shallowRef<OwnJob[]>([]);
  const shown = ref(ROWS);
  const next = ref<string>();
  let begun = false;
  const busy = ref(false);
  const problem = ref('');

  /** Reads a page, the newest one unless there is a cursor. Children are no rows: they are parts of theirs. */
  async function read(cursor?: string): Promise<void> {
    const page = await untilAvailable(
      () => fetchOwnJobs(LIMIT, cursor),
      () => {},
    );
    const jobs = page.jobs.filter(({ parent }) => parent === undefined).map(ownJob);
    known.value = mergeJobs(known.value, jobs);
    // The newest page says nothing of how far back others have been read.
    if (cursor !== undefined || !begun) next.value = page.next;
    begun = true;
  }

  async function busily(work: () => Promise<unknown>): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    problem.value = '';
    await work().catch((error) => {
      problem.value = problemWords(error);
    });
    busy.value = false;
  }

  /** Jobs that were started in another tab are there when the visitor comes back to this one. */
  const comeBack = (): void => {
    if (document.visibilityState === 'visible') void busily(() => read());
  };
  document.addEventListener('visibilitychange', comeBack);
  onScopeDispose(() => document.removeEventListener('visibilitychange', comeBack));

  function take({ jobId, ...news }: JobNow): void {
    const job = known.value.find(({ id }) => id === jobId);
    if (!job || ((news.state === 'gone' || isTerminal(news.state)) && isFollowed(jobId))) return;
    const moved = movedJob(job, { jobId, ...news });
    if (JSON.stringify(moved) === JSON.stringify(job)) return;
    known.value = known.value.flatMap((one) => (one === job ? (moved ?? []) : one));
  }

  let resets = 0;
  let unfollow: (() => void) | undefined;
  function hear({ event, data }: OwnJobEvent): void {
    if (event === 'job') take(data);
    // The connection was broken: of jobs that ended meanwhile nothing more comes.
    else if (event === 'reset' && resets++ > 0) void busily(() => read());
  }
  // Nothing is known of a visitor without a job, so there is nothing to follow.
  watch(known, (jobs) => {
    if (jobs.length > 0) unfollow ??= client.watchOwnJobs({ onEvent: hear });
  });
  onScopeDispose(() => unfollow?.());

  return {
    known,
    shown,
    next,
    busy,
    problem,
    load: () => busily(() => read()),
    /** Ten more, from the service if need be. */
    more: () =>
      busily(async () => {
        while (known.value.length < shown.value + ROWS && next.value) await read(next.value);
        shown.value += ROWS;
      }),
    add({ id, name }: StartedJob): void {
      const fresh = { state: 'waiting', percent: null, paused: false, noWorker: false } as const;
      known.value = mergeJobs(known.value, [{ id, name, createdAt: Date.now(), ...fresh }]);
      shown.value++;
    },
    forget(id: string): void {
      known.value = known.value.filter((job) => job.id !== id);
    },
  };
}
