import { onScopeDispose, ref, shallowRef } from 'vue';
import { isTerminal } from '../../../client/topic.js';
import type { JobView } from '../../../client/types.js';
import { fetchOwnJobs, problemWords, type StartedJob } from '../api';
import { untilAvailable } from './until-available';

/** A job of the visitor's own, as it was when it was asked for. */
export type OwnJob = Pick<JobView, 'id' | 'name' | 'state' | 'createdAt'> & { percent: number | null };

/** Whether it had not ended then. */
export const isUnfinished = ({ state }: OwnJob): boolean => !isTerminal(state);

/** Rows that come at a time. */
const ROWS = 10;
/** Jobs that are asked for at a time: the children among them are no rows. */
const LIMIT = 50;

const ownJob = ({ id, name, state, createdAt, progress }: JobView): OwnJob => ({
  id,
  name,
  state,
  createdAt,
  percent: state === 'completed' ? 100 : (progress?.percent ?? null),
});

/** Known jobs with others, newest first; what comes anew replaces what was known. Pure. */
export function mergeJobs(known: OwnJob[], others: OwnJob[]): OwnJob[] {
  const all = new Map([...known, ...others].map((job) => [job.id, job]));
  return [...all.values()].sort((a, b) => b.createdAt - a.createdAt);
}

/** The visitor's own jobs, as the service knows them: in every tab, after every reload. */
export function useOwnJobs() {
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
    if (document.visibilityState === 'visible') busily(() => read());
  };
  document.addEventListener('visibilitychange', comeBack);
  onScopeDispose(() => document.removeEventListener('visibilitychange', comeBack));

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
      known.value = mergeJobs(known.value, [
        { id, name, state: 'waiting', createdAt: Date.now(), percent: null },
      ]);
      shown.value++;
    },
    forget(id: string): void {
      known.value = known.value.filter((job) => job.id !== id);
    },
  };
}
