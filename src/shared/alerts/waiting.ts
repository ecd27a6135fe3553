import { parseForeign } from '../jobs/foreign-json.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';

/** The jobs that wait in a queue. */
export interface WaitingJobs {
  jobs: number;
  /** How long the oldest of them has waited since it was due, in ms. */
  oldestMs: number;
  paused: boolean;
}

/** How many jobs with the highest and the lowest priority are looked at. */
const PRIORITIZED = 20;

/**
 * Returns a reader of the jobs that wait in a queue. BullMQ does not store when a job began to wait for a later attempt,
 * so such a job counts from when it was first seen at the head of the queue.
 */
export function createWaitReader(
  redis: RedisClient,
  keyspace: Keyspace,
): (queue: string) => Promise<WaitingJobs> {
  /** For each queue: the retried jobs at its head, and when they were first seen there. */
  const seen = new Map<string, Map<string, number>>();

  return async (queue) => {
    const key = (suffix: string): string => keyspace.queueKey(queue, suffix);
    const [waiting, held, prioritized, paused, ...heads] = await Promise.all([
      redis.llen(key('wait')),
      // Releases of BullMQ before 6 move the jobs of a paused queue there.
      redis.llen(key('paused')),
      redis.zcard(key('prioritized')),
      redis.hexists(key('meta'), 'paused'),
      redis.lindex(key('wait'), -1),
      redis.lindex(key('paused'), -1),
      redis.zrange(key('prioritized'), '0', String(PRIORITIZED - 1)),
      redis.zrange(key('prioritized'), String(-PRIORITIZED), '-1'),
    ]);
    const ids = [...new Set(heads.flat())].filter((id) => id !== null);
    const stored = await Promise.all(ids.map((id) => redis.hmget(key(id), 'timestamp', 'opts', 'ats')));
    const now = serverNow();
    const seenBefore = seen.get(queue);
    const seenNow = new Map<string, number>();
    const waits = ids.map((id, i) => {
      const [timestamp, opts, attempts] = stored[i] ?? [];
      if (Number(attempts) > 0) {
        const at = seenBefore?.get(id) ?? now;
        seenNow.set(id, at);
        return now - at;
      }
      const { delay = 0 } = (parseForeign(opts ?? undefined) ?? {}) as { delay?: number };
      return timestamp ? now - Number(timestamp) - (Number(delay) || 0) : 0;
    });
    seen.set(queue, seenNow);
    return {
      jobs: waiting + held + prioritized,
      oldestMs: Math.max(0, ...waits.filter(Number.isFinite)),
      paused: paused === 1,
    };
  };
}
