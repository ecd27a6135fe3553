import type { Redis } from 'ioredis';
import { JOB_STATES } from '../../shared/jobs/states.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import type { JobSnapshot, SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobView, readProgress } from '../../shared/lifecycle/view.js';
import { formatCursor, type ListQuery } from './list-query.js';
import type { PageReader } from './page.js';

/** How often the index is asked to fill one page, when what it gives turns out not to fit. */
const ROUNDS = 5;

export interface JobListOptions {
  redis: Redis;
  prefix: string;
  readPage: PageReader;
  trackJob: SnapshotReader;
  reconciler: Reconciler;
  faults: JobFaults;
}

/** One page of jobs, newest first. */
export interface JobPage {
  jobs: Array<Record<string, unknown>>;
  /** The cursor of the next page, if there is one. */
  next?: string;
}

/**
 * Lists jobs. The index says which; what is shown is what BullMQ says of them at this moment. A job that turns out not
 * to fit (any more) is left out, and the look at it has mended the index.
 * @param owner whose; `undefined`: everybody's
 * @param base the path below which the caller sees the service
 */
export type ListJobs = (query: ListQuery, owner: string | undefined, base: string) => Promise<JobPage>;

export function createJobList(options: JobListOptions): ListJobs {
  const { redis, prefix, readPage, trackJob, reconciler, faults } = options;

  async function look(
    id: string,
    fits: (job: JobSnapshot) => boolean,
    base: string,
  ): Promise<Record<string, unknown> | undefined> {
    const job = await trackJob(id);
    if (!job) {
      // Somebody has removed it: its viewers have to hear of that too.
      await reconciler.reconcile(id);
      return undefined;
    }
    return fits(job) ? jobView(job, await readProgress(redis, prefix, job), base) : undefined;
  }

  return async ({ state, name, tag, from, to, limit, cursor }, owner, base) => {
    const states = state.length > 0 ? state : JOB_STATES;
    const any = <T>(wanted: readonly T[], found: readonly T[]): boolean =>
      wanted.length === 0 || wanted.some((value) => found.includes(value));
    const fits = (job: JobSnapshot): boolean =>
      (owner === undefined || job.settings.owner === owner) &&
      states.includes(job.state) &&
      any(name, [job.name]) &&
      any(tag, job.settings.tags ?? []);

    const jobs: JobPage['jobs'] = [];
    let after = cursor;
    for (let round = 0; round < ROUNDS; round++) {
      const page = await readPage({
        owner,
        states,
        names: name,
        tags: tag,
        from,
        to,
        after,
        limit: limit - jobs.length,
      });
      const found = await faults.each('list', page.ids, (id) => look(id, fits, base));
      jobs.push(...found.filter((view) => view !== undefined));
      after = page.next;
      if (!after || jobs.length === limit) break;
    }
    return { jobs, ...(after ? { next: formatCursor(after) } : {}) };
  };
}
