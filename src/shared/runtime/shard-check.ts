import { createProcessPresence } from '../dashboard/presence.js';
import type { ProcessView } from '../dashboard/views.js';
import { indexKeys } from '../job-index/keys.js';
import type { Keyspace } from '../keyspace.js';
import type { Logger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { inShard } from '../shards.js';
import { shardsKey } from './shards.js';

/** The shortest time between two checks, in ms. */
const CHECK_MS = 10_000;
/** Maximum number of processes in a line of the log. */
const MAX_REPORTED = 20;
/** BullMQ's keys that exist as long as a queue has jobs or job schedulers. */
const QUEUE_KEYS = [
  ...['wait', 'paused', 'active', 'delayed', 'prioritized', 'waiting-children', 'completed', 'failed'],
  'repeat',
];

export interface ShardCheckOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  /** The names of all queues. */
  queues: readonly string[];
  log: Logger;
}

/** The leader's work on the number of shards. */
export interface ShardCheck {
  /** Logs if processes differ in `QUEUE_SHARDS`, and ends the use of shards that get no new jobs and have none left. */
  check(): Promise<void>;
}

export function createShardCheck({ redis, keyspace, queues, log }: ShardCheckOptions): ShardCheck {
  const { shards } = keyspace;
  const presence = createProcessPresence(redis, keyspace);
  let nextAt = Number.NEGATIVE_INFINITY;
  let reported = '';

  function reportDifferences(processes: ProcessView[]): void {
    const counts = [...new Set(processes.map(({ placed = 1 }) => placed))].sort((a, b) => a - b);
    const text = counts.length > 1 ? counts.join(' and ') : '';
    if (text === reported) return;
    reported = text;
    if (text === '')
      return log.info({ QUEUE_SHARDS: shards.placed }, 'all processes have the same QUEUE_SHARDS');
    const where = processes.map(({ role, host, pid, placed = 1 }) => `${placed}: ${role} ${host}:${pid}`);
    log.warn({ processes: where.slice(0, MAX_REPORTED) }, `processes differ in QUEUE_SHARDS: ${text}`);
  }

  async function isEmpty(shard: number): Promise<boolean> {
    const { records, due, leftovers } = indexKeys(keyspace, shard);
    const ofQueues = queues.flatMap((queue) =>
      QUEUE_KEYS.map((name) => keyspace.queueKey(inShard(queue, shard), name)),
    );
    return (await redis.exists(records, due, leftovers, ...ofQueues)) === 0;
  }

  /** Ends the use of the highest shards. A process that uses one after all records it again: see `watchShards`. */
  async function retire(placed: number): Promise<void> {
    const unused = shards.all.slice(placed);
    if (unused.length === 0) return;
    if ((await Promise.all(unused.map(isEmpty))).includes(false)) return;
    await redis.srem(shardsKey(keyspace), ...shards.counts.filter((count) => count > placed));
    shards.learn(shards.counts.filter((count) => count <= placed));
    log.info({ shards: placed }, 'no jobs are left in the further shards; they are no longer used');
  }

  return {
    async check() {
      if (performance.now() < nextAt) return;
      nextAt = performance.now() + CHECK_MS;
      const processes = await presence.all();
      reportDifferences(processes);
      await retire(Math.max(shards.placed, ...processes.map(({ placed = 1 }) => placed)));
    },
  };
}
