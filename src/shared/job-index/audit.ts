import type { Redis } from 'ioredis';
import { addressOf, jobIdOf, queueKey } from '../jobs/queues.js';
import { createJobFaults, type JobFaults } from '../lifecycle/job-faults.js';
import type { SnapshotReader } from '../lifecycle/snapshot.js';
import { singleFlight } from '../process/every.js';
import type { Logger } from '../process/log.js';
import { isRedisFault } from '../redis/faults.js';
import { createHoldKnown } from './hold-known.js';
import { indexKeys } from './keys.js';

const AT_ONCE = 500;
/** Where BullMQ keeps the jobs of a queue. */
const SETS = ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children'];
const LISTS = ['wait', 'paused', 'active'];
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

/** Finds jobs that the index has never heard of: finished ones would be kept for ever, others would lose their files. */
export interface Audit {
  /** Goes one step further through the jobs of BullMQ; after the last it rests for a while. */
  step(): Promise<void>;
}

/**
 * The index hears of jobs by BullMQ's events, which BullMQ trims, and from whoever looks at a job. What was queued or
 * finished while nobody was there (or before there was an index) is found by looking through all jobs, a few hundred a
 * second, so that nobody notices.
 */
export function createAudit(options: AuditOptions): Audit {
  const { redis, queuePrefix, queues, trackJob, log, faults = createJobFaults(log) } = options;
  const { records } = indexKeys(queuePrefix);
  const sets = queues.flatMap((queue) =>
    [...SETS, ...LISTS].map((name) => ({
      queue,
      key: queueKey(queuePrefix, queue, name),
      list: LISTS.includes(name),
    })),
  );
  const holdKnown = createHoldKnown(redis, queuePrefix, faults);
  let place = { set: 0, cursor: '0' };
  let restUntil = 0;

  async function readSet(key: string, cursor: string): Promise<[next: string, ids: string[]]> {
    const [next, found] = await redis.zscan(key, cursor, 'COUNT', AT_ONCE);
    // Members and scores by turns.
    return [next, found.filter((_, i) => i % 2 === 0)];
  }

  async function readList(key: string, cursor: string): Promise<[next: string, ids: string[]]> {
    const from = Number(cursor);
    const ids = await redis.lrange(key, from, from + AT_ONCE - 1);
    return [ids.length < AT_ONCE ? '0' : String(from + AT_ONCE), ids];
  }

  async function step(): Promise<void> {
    if (await holdKnown.step()) return;
    // An empty set is no step: most of them are empty.
    for (let looked = 0; looked === 0; ) {
      const { queue } = sets[place.set]!;
      const [cursor, found] = await read();
      looked = found.length;
      const ids = found.map((id) => jobIdOf({ queue, id }));
      if (ids.length > 0) {
        const known = await redis.hmget(records, ...ids);
        const unknown = ids.filter((id, i) => known[i] === null && addressOf(id));
        await faults.each('index', unknown, (id) => trackJob(id));
      }
      place = cursor === '0' ? { set: place.set + 1, cursor } : { ...place, cursor };
      if (place.set < sets.length) continue;
      place = { set: 0, cursor: '0' };
      restUntil = performance.now() + REST_MS;
      holdKnown.restart();
      return;
    }
  }

  /** One step through the jobs of a state; none through what another program made something else of. */
  async function read(): Promise<[next: string, ids: string[]]> {
    const { key, list } = sets[place.set]!;
    try {
      return await (list ? readList(key, place.cursor) : readSet(key, place.cursor));
    } catch (error) {
      if (isRedisFault(error)) throw error;
      log.warn({ err: error, key }, 'could not look through the jobs of a queue');
      return ['0', []];
    }
  }

  const nextStep = singleFlight(step);
  return {
    async step() {
      if (sets.length === 0 || performance.now() < restUntil) return;
      await nextStep();
    },
  };
}
