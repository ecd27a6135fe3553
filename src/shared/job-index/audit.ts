import { addressOf, jobIdOf } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import { createJobFaults, type JobFaults } from '../lifecycle/job-faults.js';
import type { SnapshotReader } from '../lifecycle/snapshot.js';
import { singleFlight } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { isRedisFault } from '../redis/faults.js';
import { createHoldKnown } from './hold-known.js';
import { indexKeys } from './keys.js';

const AT_ONCE = 500;
/** The keys in which BullMQ keeps the jobs of a queue. */
const SETS = ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children'];
const LISTS = ['wait', 'paused', 'active'];
const PAUSE_MS = 10 * 60_000;

export interface AuditOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  /** The queues to audit, all in the same shard. */
  queues: string[];
  /** Defaults to 0. */
  shard?: number;
  trackJob: SnapshotReader;
  faults?: JobFaults;
  log: Logger;
}

/**
 * Finds jobs that are missing from the index. Without it, finished jobs could be kept forever, and others could lose their
 * files.
 */
export interface Audit {
  /** Examines the next part of BullMQ's jobs. Pauses for ten minutes after the last one. */
  step(): Promise<void>;
}

/**
 * Creates an audit of the index. The index learns of jobs from BullMQ's events, which BullMQ trims, and from every reader of
 * a job. Jobs that were queued or finished while no process of Headway ran are found by examining all jobs, a few hundred a
 * second, to keep the load low.
 */
export function createAudit(options: AuditOptions): Audit {
  const { redis, keyspace, queues, shard = 0, trackJob, log, faults = createJobFaults(log) } = options;
  const { records } = indexKeys(keyspace, shard);
  const sets = queues.flatMap((queue) =>
    [...SETS, ...LISTS].map((name) => ({
      queue,
      key: keyspace.queueKey(queue, name),
      list: LISTS.includes(name),
    })),
  );
  const holdKnown = createHoldKnown({ redis, keyspace, shard, faults });
  let position = { set: 0, cursor: '0' };
  let pausedUntil = 0;

  async function readSet(key: string, cursor: string): Promise<[next: string, ids: string[]]> {
    const [next, found] = await redis.zscan(key, cursor, 'COUNT', AT_ONCE);
    // ZSCAN returns members and scores alternately.
    return [next, found.filter((_, i) => i % 2 === 0)];
  }

  async function readList(key: string, cursor: string): Promise<[next: string, ids: string[]]> {
    const from = Number(cursor);
    const ids = await redis.lrange(key, from, from + AT_ONCE - 1);
    return [ids.length < AT_ONCE ? '0' : String(from + AT_ONCE), ids];
  }

  async function step(): Promise<void> {
    if (await holdKnown.step()) return;
    // Most sets are empty. An empty one does not count as a step.
    for (let examined = 0; examined === 0; ) {
      const set = sets[position.set];
      if (!set) return;
      const { queue } = set;
      const [cursor, found] = await read(set);
      examined = found.length;
      const ids = found.map((id) => jobIdOf({ queue, id }));
      if (ids.length > 0) {
        const known = await redis.hmget(records, ...ids);
        const unknown = ids.filter((id, i) => known[i] === null && addressOf(id));
        await faults.each('index', unknown, (id) => trackJob(id));
      }
      position = cursor === '0' ? { set: position.set + 1, cursor } : { ...position, cursor };
      if (position.set < sets.length) continue;
      position = { set: 0, cursor: '0' };
      pausedUntil = performance.now() + PAUSE_MS;
      holdKnown.restart();
      return;
    }
  }

  /** Reads the next part of a set or list; empty if another program has replaced the key. */
  async function read({ key, list }: (typeof sets)[number]): Promise<[next: string, ids: string[]]> {
    try {
      return await (list ? readList(key, position.cursor) : readSet(key, position.cursor));
    } catch (error) {
      if (isRedisFault(error)) throw error;
      log.warn({ err: error, key }, 'could not audit the jobs of a queue');
      return ['0', []];
    }
  }

  const nextStep = singleFlight(step);
  return {
    async step() {
      if (sets.length === 0 || performance.now() < pausedUntil) return;
      await nextStep();
    },
  };
}
