import { JOB_STATES } from '../../shared/jobs/states.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import type { JobSnapshot, SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobView, readProgress } from '../../shared/lifecycle/view.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { formatCursor, type ListQuery } from './list-query.js';
import type { PageReader } from './page.js';

/** Maximum number of reads of the index for one page. More than one is needed when jobs turn out not to match. */
const ROUNDS = 5;

export interface JobListOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  readPage: PageReader;
  trackJob: SnapshotReader;
  reconciler: Reconciler;
  faults: JobFaults;
}

/** A page of jobs, newest first. */
export interface JobPage {
  jobs: Array<Record<string, unknown>>;
  /** The cursor of the next page, if there is one. */
  next?: string;
}

/**
 * Lists jobs. The index selects them, and their current state is read from BullMQ. A job that no longer matches is left
 * out, and reading it has corrected the index.
 * @param owner `undefined` for the jobs of all owners
 * @param base the path under which the caller reaches the service
 */
export type ListJobs = (query: ListQuery, owner: string | undefined, base: string) => Promise<JobPage>;

export function createJobList(options: JobListOptions): ListJobs {
  const { redis, keyspace, readPage, trackJob, reconciler, faults } = options;

  async function viewIfMatching(
    id: string,
    matches: (job: JobSnapshot) => boolean,
    base: string,
  ): Promise<Record<string, unknown> | undefined> {
    const job = await trackJob(id);
    if (!job) {
      // The job was removed: reconciling it publishes that to its viewers.
      await reconciler.reconcile(id);
      return undefined;
    }
    return matches(job) ? jobView(job, await readProgress(redis, keyspace, job), base) : undefined;
  }

  return async ({ state, name, tag, from, to, limit, cursor }, owner, base) => {
    const states = state.length > 0 ? state : JOB_STATES;
    const any = <T>(wanted: readonly T[], found: readonly T[]): boolean =>
      wanted.length === 0 || wanted.some((value) => found.includes(value));
    const matches = (job: JobSnapshot): boolean =>
      (owner === undefined || job.settings.owner === owner) &&
      states.includes(job.state) &&
      any(name, [job.name]) &&
      any(tag, job.settings.tags ?? []);

    const jobs: JobPage['jobs'] = [];
    let after = cursor;
    for (let round = 0; round < ROUNDS; round++) {
      const wanted = limit - jobs.length;
      const page = await readPage({
        owner,
        states,
        names: name,
        tags: tag,
        from,
        to,
        after,
        limit: wanted,
      });
      const found = await faults.each('list', page.ids, (id) => viewIfMatching(id, matches, base));
      jobs.push(...found.filter((view) => view !== undefined));
      after = page.next;
      // A short page with a next one has used up its steps. Another would occupy Redis for as long again: the caller asks for it.
      if (!after || jobs.length === limit || page.ids.length < wanted) break;
    }
    return { jobs, ...(after ? { next: formatCursor(after) } : {}) };
  };
}
