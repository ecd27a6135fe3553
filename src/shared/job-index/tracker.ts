import type { Cluster, Redis } from 'ioredis';
import { addressOf } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import type { Keyspace } from '../keyspace.js';
import { parseSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

export interface TrackerOptions {
  redis: Redis | Cluster;
  keyspace: Keyspace;
  keep: RetentionTimes;
}

/**
 * Creates a reader that also updates the job index, atomically with reading: it adds a new job, moves a job whose state has
 * changed, and removes a missing one. So every reader of a job keeps the index correct.
 */
export function createTracker({ redis, keyspace, keep }: TrackerOptions): SnapshotReader {
  const keys = indexKeys(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  return async (jobId, hint) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const reply = await scripts.trackJob(
      keys.records,
      keys.due,
      keys.gone(jobId),
      keyspace.queueKey(address.queue, address.id),
      jobId,
      keys.sets,
      ...keep.args,
      hint && hint.event !== 'removed' ? hint.event : '',
      address.id,
    );
    return reply ? parseSnapshot(jobId, reply) : undefined;
  };
}
