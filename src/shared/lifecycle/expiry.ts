import type { Cluster, Redis } from 'ioredis';
import type { Withdrawal } from './withdraw.js';

const AT_ONCE = 200;

/** Jobs that have to be begun in time: a sorted set of their ids, by when. */
export interface Expiry {
  /** @param expiresAt ms since 1970 */
  add(jobId: string, expiresAt: number): Promise<void>;
  /** For a job that was never queued. */
  remove(jobId: string): Promise<void>;
  /** Fails those whose time is over and that nobody has begun. */
  sweep(withdrawal: Withdrawal): Promise<void>;
}

export function createExpiry(redis: Redis | Cluster, prefix: string): Expiry {
  const key = `${prefix}:expiry`;
  return {
    async add(jobId, expiresAt) {
      await redis.zadd(key, expiresAt, jobId);
    },
    async remove(jobId) {
      await redis.zrem(key, jobId);
    },
    async sweep(withdrawal) {
      for (;;) {
        const due = await redis.zrangebyscore(key, '-inf', Date.now(), 'LIMIT', 0, AT_ONCE);
        if (due.length === 0) return;
        await Promise.all(due.map((jobId) => withdrawal.expire(jobId)));
        // After the deed: whoever dies in between leaves it to the next one.
        await redis.zrem(key, ...due);
      }
    },
  };
}
