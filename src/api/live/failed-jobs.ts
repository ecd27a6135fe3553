import type { FailedJob } from '../../shared/dashboard/views.js';
import { errorOf } from '../../shared/lifecycle/events.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import type { PageReader } from '../jobs/page.js';
import type { DashboardQuery } from './query.js';

/** Maximum number of failed jobs in a list. */
const SHOWN = 50;
/** How many of the newest failed jobs are searched when the filter has a text. */
const SEARCHED = 200;
/** Maximum length of a shown error message, in characters. */
const MAX_MESSAGE = 500;

export type FailedFilter = Pick<DashboardQuery, 'name' | 'q'>;

/** Reads the newest failed jobs of an owner that match, latest failure first; of all owners when it is `undefined`. */
export type FailedReader = (owner: string | undefined, filter: FailedFilter) => Promise<FailedJob[]>;

export function createFailedReader(
  readPage: PageReader,
  trackJob: SnapshotReader,
  faults: JobFaults,
): FailedReader {
  return async (owner, { name, q }) => {
    const limit = q ? SEARCHED : SHOWN;
    const { ids } = await readPage({ owner, states: ['failed'], names: name, tags: [], limit });
    const jobs = await faults.each('show', ids, (id) => trackJob(id));
    return jobs
      .flatMap((job): FailedJob[] => {
        if (job?.state !== 'failed') return [];
        const { id, name, attempt, attempts, createdAt, finishedAt } = job;
        const { title } = job.settings;
        const { message, ...code } = errorOf(job);
        const error = { message: message.slice(0, MAX_MESSAGE), ...code };
        return [{ id, name, title, attempt, attempts, createdAt, finishedAt, error }];
      })
      .filter(
        ({ id, name, title = '', error }) =>
          !q || [id, name, title, error.message].some((text) => text.toLowerCase().includes(q)),
      )
      .sort((a, b) => (b.finishedAt ?? 0) - (a.finishedAt ?? 0))
      .slice(0, SHOWN);
  };
}
