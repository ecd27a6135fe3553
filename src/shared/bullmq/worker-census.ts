import type { Redis } from 'ioredis';
import { dashboardKeys } from '../dashboard/keys.js';
import type { ProcessView } from '../dashboard/views.js';
import { isRedisFault } from '../redis/faults.js';

/** BullMQ's name of our own workers, by which those that another program runs are told from them. */
export const WORKER_NAME = 'headway';
/** What was read counts for this long, in ms. */
const FRESH_MS = 800;
/** A queue counts as served for this long after its last worker was seen: workers are restarted. In ms. */
const GRACE_MS = 2000;

/** Knows which queues have a worker. */
export interface WorkerCensus {
  /** Whether a worker takes jobs from a queue, as of a second ago at most. */
  serves(queue: string): Promise<boolean>;
}

/**
 * Our own workers count while they say that they are there (a frozen one does not) and are connected (a killed one is
 * not); workers of other programs while they are connected under the name that BullMQ gives them.
 * @param queuePrefix the prefix of BullMQ's keys
 */
export function createWorkerCensus(redis: Redis, prefix: string, queuePrefix: string): WorkerCensus {
  const { processes, deadlines } = dashboardKeys(prefix);
  const seenAt = new Map<string, number>();
  let look: { at: number; done: Promise<void> } | undefined;

  async function read(): Promise<Set<string>> {
    const [said, until, [seconds = 0, micros = 0], clients] = await Promise.all([
      redis.hgetall(processes),
      redis.zrange(deadlines, '0', '-1', 'WITHSCORES'),
      redis.time(),
      // Some providers refuse it: then our own workers are all that is known of.
      (redis.client('LIST') as Promise<string>).catch((error) => {
        if (isRedisFault(error) && !/NOPERM/.test(String(error))) throw error;
        return undefined;
      }),
    ]);
    const now = Number(seconds) * 1000 + Number(micros) / 1000;
    const announced = new Set<string>();
    for (let i = 0; i < until.length; i += 2) {
      if (Number(until[i + 1]) < now) continue;
      const { queues = [] } = JSON.parse(said[until[i]!] ?? '{}') as Partial<ProcessView>;
      for (const { name } of queues) announced.add(name);
    }
    if (clients === undefined) return announced;
    const served = new Set<string>();
    for (const [, name] of clients.matchAll(/ name=(\S+)/g)) {
      if (!name?.startsWith(`${queuePrefix}:`)) continue;
      const [encoded = '', mark, worker] = name.slice(queuePrefix.length + 1).split(':');
      const queue = Buffer.from(encoded, 'base64').toString();
      if (mark !== undefined && mark !== 'w') continue;
      if (worker !== WORKER_NAME || announced.has(queue)) served.add(queue);
    }
    return served;
  }

  return {
    async serves(queue) {
      const now = performance.now();
      if (!look || now - look.at > FRESH_MS) {
        const done = read().then((names) => {
          for (const name of names) seenAt.set(name, now);
        });
        const mine = { at: now, done };
        look = mine;
        done.catch(() => {
          if (look === mine) look = undefined;
        });
      }
      await look.done;
      return now - (seenAt.get(queue) ?? Number.NEGATIVE_INFINITY) < GRACE_MS;
    },
  };
}
