import { dashboardKeys } from '../dashboard/keys.js';
import type { ProcessView } from '../dashboard/views.js';
import type { Keyspace } from '../keyspace.js';
import { allNodes, nodeOf, type RedisClient } from '../redis/client.js';
import { isRedisFault } from '../redis/faults.js';
import { pairsOf } from '../redis/pairs.js';
import { inShard, splitQueue } from '../shards.js';

/** The name of our workers in BullMQ, which distinguishes them from those of other programs. */
export const WORKER_NAME = 'headway';
/** How long a reading is valid, in ms. */
const FRESH_MS = 800;
/** How long a queue counts as served after its last worker was seen, in ms. It covers the restart of a worker. */
const GRACE_MS = 2000;

/** Tracks which queues have a worker. */
export interface WorkerCensus {
  /**
   * Returns whether a worker takes jobs from a queue. The answer is at most a second old.
   * @param queue the queue in its shard
   */
  serves(queue: string): Promise<boolean>;
}

/**
 * Creates a census of workers. One of our workers counts if it sends heartbeats (a frozen one does not) and is connected (a
 * killed one is not). A worker of another program counts if it is connected under the name that BullMQ gives it.
 */
export function createWorkerCensus(redis: RedisClient, keyspace: Keyspace): WorkerCensus {
  const { processes, deadlines } = dashboardKeys(keyspace);
  const seenAt = new Map<string, number>();
  let reading: { at: number; done: Promise<void> } | undefined;

  async function read(): Promise<Set<string>> {
    const node = nodeOf(redis, deadlines);
    const [views, deadlineOf, [seconds = 0, micros = 0], clients] = await Promise.all([
      redis.hgetall(processes),
      redis.zrange(deadlines, '0', '-1', 'WITHSCORES'),
      node.time(),
      // Some providers refuse CLIENT LIST. Then only our own workers are known.
      clientsOf(redis).catch((error) => {
        if (isRedisFault(error) && !/NOPERM/.test(String(error))) throw error;
        return undefined;
      }),
    ]);
    const now = Number(seconds) * 1000 + Number(micros) / 1000;
    const announced = new Set<string>();
    for (const [id, deadline] of pairsOf(deadlineOf)) {
      if (Number(deadline) < now) continue;
      const { queues = [], shards = 1 } = JSON.parse(views[id] ?? '{}') as Partial<ProcessView>;
      for (const { name } of queues) {
        for (let shard = 0; shard < shards; shard++) announced.add(inShard(name, shard));
      }
    }
    if (clients === undefined) return announced;
    const served = new Set<string>();
    for (const [, name] of clients.matchAll(/ name=(\S+)/g)) {
      // BullMQ names a connection like a key: prefix, name of the queue, what it is for.
      const parsed = keyspace.parseQueueKey(name ?? '');
      if (!parsed) continue;
      const { shard, name: encoded } = splitQueue(parsed.queue);
      const [role, worker] = parsed.suffix === '' ? [] : parsed.suffix.split(':');
      const queue = inShard(Buffer.from(encoded, 'base64').toString(), shard);
      if (role !== undefined && role !== 'w') continue;
      if (worker !== WORKER_NAME || announced.has(queue)) served.add(queue);
    }
    return served;
  }

  return {
    async serves(queue) {
      const now = performance.now();
      if (!reading || now - reading.at > FRESH_MS) {
        const done = read().then((names) => {
          for (const name of names) seenAt.set(name, now);
        });
        const mine = { at: now, done };
        reading = mine;
        done.catch(() => {
          if (reading === mine) reading = undefined;
        });
      }
      await reading.done;
      return now - (seenAt.get(queue) ?? Number.NEGATIVE_INFINITY) < GRACE_MS;
    },
  };
}

/** Lists the clients of all servers: a worker of a Cluster waits for jobs at the master that has them. */
export async function clientsOf(redis: RedisClient): Promise<string> {
  const lists = await Promise.all(allNodes(redis).map((node) => node.client('LIST') as Promise<string>));
  return lists.join('\n');
}
