import { ref } from 'vue';

/** A job that was started from this browser. */
export interface OwnJob {
  id: string;
  name: string;
  at: number;
}

const KEY = 'headway.jobs';
const KEPT = 20;

function load(): OwnJob[] {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

/** The visitor's own jobs, newest first; kept in this browser. */
export function useOwnJobs() {
  const jobs = ref(load());
  function save(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(jobs.value));
    } catch {
      // A browser that stores nothing still shows the job that runs.
    }
  }
  return {
    jobs,
    add(job: OwnJob) {
      jobs.value = [job, ...jobs.value.filter(({ id }) => id !== job.id)].slice(0, KEPT);
      save();
    },
    forget(id: string) {
      jobs.value = jobs.value.filter((job) => job.id !== id);
      save();
    },
  };
}
