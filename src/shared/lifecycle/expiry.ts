import type { Cluster, Redis } from 'ioredis';
import { singleFlight } from '../process/every.js';
import { serverNow } from '../redis/server-clock.js';
import type { Canceller } from './cancel.js';
import type { JobFaults } from './job-faults.js';

const AT_ONCE = 200;
/** A job that could not be failed is tried again after this long, in ms. */
const RETRY_MS = 60_000;

/** Jobs that have to be begun in time: a sorted set of their ids, by when. */
export interface Expiry {
  /** @param expiresAt ms since 1970 */
  add(jobId: string, expiresAt: number): Promise<void>;
  /** For a job that was never queued. */
  remove(jobId: string): Promise<void>;
  /**
   * Fails those whose time is over and that nobody has begun. One that cannot be failed is put off, so that it keeps no
   * other waiting.
   */
  sweep(canceller: Canceller, faults: JobFaults): Promise<void>;
}

export function createExpiry(redis: Redis | Cluster, prefix: string): Expiry {
  const key = `${prefix}:expiry`;

  async function sweep(canceller: Canceller, faults: JobFaults): Promise<void> {
    for (;;) {
      const due = await redis.zrangebyscore(key, '-inf', serverNow(), 'LIMIT', 0, AT_ONCE);
      if (due.length === 0) return;
      const putOff = new Set<string>();
      const expire = (jobId: string): Promise<void> => canceller.expire(jobId);
      await faults.each('expire', due, expire, async (jobId) => {
        putOff.add(jobId);
        await redis.zadd(key, 'XX', serverNow() + RETRY_MS, jobId);
      });
      // After the deed: whoever dies in between leaves it to the next one.
      const done = due.filter((jobId) => !putOff.has(jobId));
      if (done.length > 0) await redis.zrem(key, ...done);
    }
  }

  return {
    async add(jobId, expiresAt) {
      await redis.zadd(key, expiresAt, jobId);
    },
    async remove(jobId) {
      await redis.zrem(key, jobId);
    },
    // A sweep may take longer than the interval between calls.
    sweep: singleFlight(sweep),
  };
}
