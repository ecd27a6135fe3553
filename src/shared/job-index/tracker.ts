import { addressOf, type JobAddress } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import type { Keyspace } from '../keyspace.js';
import type { JobReply } from '../lifecycle/scripts.js';
import { parseSnapshot, type SnapshotReader } from '../lifecycle/snapshot.js';
import type { RedisClient } from '../redis/client.js';
import { passReplies, type Waiting } from '../redis/replies.js';
import { scriptsOf } from '../redis/scripts.js';
import { byShard, indexKeysByShard } from './keys.js';
import { jobIndexScripts } from './scripts.js';

export interface TrackerOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  keep: RetentionTimes;
}

/** How many jobs one call reads. Redis does nothing else during a script. */
const AT_ONCE = 50;

/** A read that goes with the next call. */
interface PendingRead extends Waiting<JobReply | null> {
  jobId: string;
  address: JobAddress;
  hint: Parameters<SnapshotReader>[1];
}

/**
 * Creates a reader that also updates the job index, atomically with reading: it adds a new job, moves a job whose state has
 * changed, and removes a missing one. So every reader of a job keeps the index correct. What is read in one turn of the event
 * loop goes in one call for each shard.
 */
export function createTracker({ redis, keyspace, keep }: TrackerOptions): SnapshotReader {
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  let pending: PendingRead[] = [];

  function sendAll(): void {
    const reads = pending;
    pending = [];
    for (const [shard, ofShard] of byShard(reads)) {
      for (let i = 0; i < ofShard.length; i += AT_ONCE) void send(shard, ofShard.slice(i, i + AT_ONCE));
    }
  }

  async function send(shard: number, reads: PendingRead[]): Promise<void> {
    const keys = keysOf(shard);
    const ofJobs = reads.flatMap(({ jobId, address: { queue, id } }) => [
      keys.gone(jobId),
      keyspace.queueKey(queue, id),
    ]);
    const args = reads.flatMap(({ jobId, address, hint }) => [
      jobId,
      hint && hint.event !== 'removed' ? hint.event : '',
      address.id,
    ]);
    await passReplies(reads, () =>
      scripts.trackJobs(
        2 + ofJobs.length,
        ...[keys.records, keys.due, ...ofJobs],
        ...[keys.sets, ...keep.args, ...args],
      ),
    );
  }

  return async (jobId, hint) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const reply = await new Promise<JobReply | null>((resolve, reject) => {
      if (pending.length === 0) process.nextTick(sendAll);
      pending.push({ jobId, address, hint, resolve, reject });
    });
    return reply ? parseSnapshot(jobId, reply) : undefined;
  };
}
