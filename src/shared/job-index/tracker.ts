import type { Cluster, Redis } from 'ioredis';
import { addressOf } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import { parseSnapshot, type SnapshotReader, snapshotKeys } from '../lifecycle/snapshot.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

export interface TrackerOptions {
  redis: Redis | Cluster;
  queuePrefix: string;
  keep: RetentionTimes;
}

/**
 * Reads jobs as the plain reader does, and in the same step brings the index of jobs into agreement with what was
 * read: a job that is new to it comes in, one whose state has changed moves, one that is missing leaves. So whoever
 * looks at a job mends the index.
 */
export function createTracker({ redis, queuePrefix, keep }: TrackerOptions): SnapshotReader {
  const keys = indexKeys(queuePrefix);
  const scripts = scriptsOf(redis, jobIndexScripts);
  return async (jobId, hint) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const reply = await scripts.trackJob(
      keys.records,
      keys.due,
      keys.gone(jobId),
      ...snapshotKeys(queuePrefix, address),
      jobId,
      keys.sets,
      ...keep.args,
      hint && hint.event !== 'removed' ? hint.event : '',
      address.id,
    );
    return reply ? parseSnapshot(jobId, reply) : undefined;
  };
}
