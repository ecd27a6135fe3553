import { ref, shallowRef, watch } from 'vue';
import type { JobView } from '../../../client/types.js';
import { needsSignIn, problemMessage, request } from '../api';
import { type JobQuery, listPath } from './job-query';

const ROWS = 50;

interface Page {
  jobs: JobView[];
  next?: string;
}

/** The jobs that match a query, as they were at a moment. The first page is read when the query changes. */
export function useJobList(query: () => JobQuery) {
  const jobs = shallowRef<JobView[]>([]);
  const next = ref<string>();
  /** When the first page was read, ms since 1970; 0 before. */
  const readAt = ref(0);
  const busy = ref(false);
  const problem = ref('');
  const signedOut = ref(false);
  /** The number of the newest call: an earlier one that ends later is ignored. */
  let calls = 0;

  async function read(cursor?: string): Promise<void> {
    const call = ++calls;
    const path = listPath(query(), Date.now(), { limit: ROWS, cursor });
    busy.value = true;
    problem.value = '';
    try {
      const page: Page = path ? await request<Page>(path) : { jobs: [] };
      if (call !== calls) return;
      jobs.value = cursor ? [...jobs.value, ...page.jobs] : page.jobs;
      next.value = page.next;
      if (!cursor) readAt.value = Date.now();
    } catch (error) {
      if (call !== calls) return;
      signedOut.value = needsSignIn(error);
      if (!cursor) jobs.value = [];
      problem.value = problemMessage(error);
    } finally {
      if (call === calls) busy.value = false;
    }
  }

  watch(query, () => void read(), { immediate: true, deep: true });
  return {
    jobs,
    next,
    readAt,
    busy,
    problem,
    signedOut,
    refresh: () => read(),
    more: () => read(next.value),
  };
}
