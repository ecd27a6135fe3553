import { requireAddress } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import { singleFlight } from '../process/every.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { shardOf } from '../shards.js';
import type { Canceller } from './cancel.js';
import type { JobFaults } from './job-faults.js';

const AT_ONCE = 200;
/** Delay before the next try to fail a job that could not be failed, in ms. */
const RETRY_MS = 60_000;

/** The jobs that must start in time: a sorted set of job ids by deadline. */
export interface Expiry {
  /** @param expiresAt ms since 1970 */
  add(jobId: string, expiresAt: number): Promise<void>;
  /** Removes the deadline of a job that was never queued. */
  remove(jobId: string): Promise<void>;
  /** Fails the jobs that did not start before their deadline. Postpones a job that cannot be failed, so that it delays no other. */
  sweep(canceller: Canceller, faults: JobFaults, shard?: number): Promise<void>;
}

export function createExpiry(redis: RedisClient, keyspace: Keyspace): Expiry {
  const sweeps: Array<(canceller: Canceller, faults: JobFaults) => Promise<void>> = [];
  /** The keys of the first shard are older than shards. */
  const keyOf = (shard: number): string =>
    shard === 0 ? `${keyspace.prefix}:expiry` : `${keyspace.prefixOf(shard)}.expiry`;
  const keyOfJob = (jobId: string): string => keyOf(shardOf(requireAddress(jobId).queue));

  async function sweep(shard: number, canceller: Canceller, faults: JobFaults): Promise<void> {
    const key = keyOf(shard);
    for (;;) {
      const due = await redis.zrangebyscore(key, '-inf', serverNow(), 'LIMIT', 0, AT_ONCE);
      if (due.length === 0) return;
      const postponed = new Set<string>();
      const expire = (jobId: string): Promise<void> => canceller.expire(jobId);
      await faults.each('expire', due, expire, async (jobId) => {
        postponed.add(jobId);
        await redis.zadd(key, 'XX', serverNow() + RETRY_MS, jobId);
      });
      // Removed last: if this process dies in between, the next sweep finds the jobs again.
      const done = due.filter((jobId) => !postponed.has(jobId));
      if (done.length > 0) await redis.zrem(key, ...done);
    }
  }

  return {
    async add(jobId, expiresAt) {
      await redis.zadd(keyOfJob(jobId), expiresAt, jobId);
    },
    async remove(jobId) {
      await redis.zrem(keyOfJob(jobId), jobId);
    },
    sweep(canceller, faults, shard = 0) {
      // A sweep may take longer than the interval between calls.
      sweeps[shard] ??= singleFlight((...args) => sweep(shard, ...args));
      return sweeps[shard](canceller, faults);
    },
  };
}
