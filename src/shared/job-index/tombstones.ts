import { addressOf } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { shardOf } from '../shards.js';
import { indexKeysByShard } from './keys.js';

/** The remembered facts about a removed job. Times are in ms since 1970. */
export interface Tombstone {
  name: string;
  /** The last state of the job. */
  state: JobState;
  createdAt: number;
  /** Unknown, like `attempt`, for a job that another tool has removed. */
  finishedAt?: number;
  attempt?: number;
  /** The principal that started the job. */
  owner?: string;
}

/** Reads the tombstone of a job; `undefined` if the job exists, never existed, or the tombstone has expired. */
export type TombstoneReader = (jobId: string) => Promise<Tombstone | undefined>;

export function createTombstoneReader(redis: RedisClient, keyspace: Keyspace): TombstoneReader {
  const keysOf = indexKeysByShard(keyspace);
  return async (jobId) => {
    const found = await redis.get(keysOf(shardOf(addressOf(jobId)?.queue ?? '')).gone(jobId));
    return found ? (JSON.parse(found) as Tombstone) : undefined;
  };
}
