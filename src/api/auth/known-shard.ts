import { addressOf } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { readShardCounts } from '../../shared/runtime/shards.js';
import { shardOf } from '../../shared/shards.js';

/**
 * Whether a job id names a shard that this installation uses or used. The keys of other shards are not read: the Redis user of
 * an installation without shards has no access to them.
 */
export type ShardCheck = (jobId: string) => Promise<boolean>;

export function createShardCheck(redis: RedisClient, keyspace: Keyspace): ShardCheck {
  const { shards } = keyspace;
  return async (jobId) => {
    const address = addressOf(jobId);
    const shard = address ? shardOf(address.queue) : 0;
    if (shard < shards.known) return true;
    // Another process may have added shards a moment ago.
    return (await readShardCounts(redis, keyspace)).some((count) => count > shard);
  };
}
