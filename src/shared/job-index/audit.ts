import type { Redis } from 'ioredis';
import { createJobFaults, type JobFaults } from '../job-faults.js';
import type { SnapshotReader } from '../lifecycle/snapshot.js';
import type { Logger } from '../log.js';
import { addressOf, jobIdOf, queueKey } from '../queues.js';
import { isRedisFault } from '../redis/faults.js';
import { indexKeys } from './keys.js';

const AT_ONCE = 500;
const REST_MS = 10 * 60_000;

export interface AuditOptions {
  redis: Redis;
  queuePrefix: string;
  /** The queues to look through. */
  queues: string[];
  trackJob: SnapshotReader;
  faults?: JobFaults;
  log: Logger;
}

/** Finds finished jobs that the index has never heard of: they would be kept for ever. */
export interface Audit {
  /** Goes one step further through the finished jobs of BullMQ; after the last it rests for a while. */
  step(): Promise<void>;
}

/**
 * The index hears of jobs by BullMQ's events, which BullMQ trims, and from whoever looks at a job. What finished
 * while nobody was there (or before there was an index) is found by looking through all finished jobs, a few hundred
 * a second, so that nobody notices.
 */
export function createAudit(options: AuditOptions): Audit {
  const { redis, queuePrefix, queues, trackJob, log, faults = createJobFaults(log) } = options;
  const { records } = indexKeys(queuePrefix);
  const sets = queues.flatMap((queue) =>
    ['completed', 'failed'].map((set) => ({ queue, key: queueKey(queuePrefix, queue, set) })),
  );
  let place = { set: 0, cursor: '0' };
  let restUntil = 0;
  let running: Promise<void> | undefined;

  async function step(): Promise<void> {
    const { queue, key } = sets[place.set]!;
    const [cursor, found] = await scan(key, place.cursor);
    // Members and scores by turns.
    const ids = found.filter((_, i) => i % 2 === 0).map((id) => jobIdOf({ queue, id }));
    if (ids.length > 0) {
      const known = await redis.hmget(records, ...ids);
      const unknown = ids.filter((id, i) => known[i] === null && addressOf(id));
      await faults.each('index', unknown, (id) => trackJob(id));
    }
    place = cursor === '0' ? { set: place.set + 1, cursor } : { ...place, cursor };
    if (place.set < sets.length) return;
    place = { set: 0, cursor: '0' };
    restUntil = Date.now() + REST_MS;
  }

  /** One step through a set; none through what another program made something else of. */
  async function scan(key: string, cursor: string): Promise<[cursor: string, found: string[]]> {
    try {
      return await redis.zscan(key, cursor, 'COUNT', AT_ONCE);
    } catch (error) {
      if (isRedisFault(error)) throw error;
      log.warn({ err: error, key }, 'could not look through the finished jobs of a queue');
      return ['0', []];
    }
  }

  return {
    async step() {
      if (sets.length === 0 || Date.now() < restUntil) return;
      running ??= step().finally(() => {
        running = undefined;
      });
      await running;
    },
  };
}
