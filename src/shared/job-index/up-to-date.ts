import type { Redis } from 'ioredis';
import { requireAddress } from '../jobs/queues.js';
import { runOf } from '../jobs/scheduled-run.js';
import type { Keyspace } from '../keyspace.js';
import { createPublishedStateReader, type PublishedState, RANK } from '../lifecycle/published.js';
import type { UpToDateCheck } from '../lifecycle/queue-follower.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

/**
 * Creates a check that finds jobs that run or have completed, if both their channel and the index say so: a worker of ours
 * has reconciled them. It costs a fraction of the reconciliations that it saves.
 */
export function createUpToDateCheck(redis: Redis, keyspace: Keyspace): UpToDateCheck {
  const { records } = indexKeys(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  const readPublished = createPublishedStateReader(redis, keyspace);

  return async (queue, jobIds) => {
    const jobs = jobIds
      .map((jobId) => ({ jobId, id: requireAddress(jobId).id }))
      // The runs of a schedule are counted.
      .filter(({ id }) => !runOf(id));
    if (jobs.length === 0) return new Map();
    const [completed, failed, ...hashes] = ['completed', 'failed', ...jobs.map(({ id }) => id)].map(
      (suffix) => keyspace.queueKey(queue, suffix),
    );
    const keys = [records, completed, failed, ...hashes] as string[];
    const ids = jobs.flatMap(({ jobId, id }) => [jobId, id]);
    const found = await scripts.jobsUpToDate(keys.length, ...keys, ...ids);
    const owners = await Promise.all(
      jobs.map(async ({ jobId }, i): Promise<Array<[jobId: string, owner: string]>> => {
        const job = found[i];
        if (!job) return [];
        const [state, attempt, owner] = job;
        // A key that another tool has replaced is for the reconciliation to report.
        const published = await readPublished(jobId).catch(() => undefined);
        return published && isPublished(published, state, attempt) ? [[jobId, owner]] : [];
      }),
    );
    return new Map(owners.flat());
  };
}

/** Whether `transitions` would return nothing for a job in this state that was not asked to stop. */
const isPublished = (published: PublishedState, state: 'active' | 'completed', attempt: number): boolean =>
  state === 'completed'
    ? published.end !== undefined && published.attempt >= attempt
    : published.end === undefined &&
      published.attempt === attempt &&
      published.rank === RANK.active &&
      !published.paused;
