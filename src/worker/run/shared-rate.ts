import type { BackendFactory, RedisQueueBackend } from 'bullmq';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { queueNameOf } from '../../shared/shards.js';
import { runScripts } from './scripts.js';

export interface SharedRateOptions {
  /** A connection that knows the scripts of a worker. */
  redis: RedisClient;
  keyspace: Keyspace;
  /** The queue in its shard. */
  queue: string;
  max: number;
  perMs: number;
  /** The order that the queue's shards share. */
  order: RateOrder;
}

/** How much later than the shard before it a refused shard asks again, in ms. */
const STEP_MS = 5;

/**
 * The order in which the shards of a queue ask again after the rate limit refused them a job: the one that has waited longest
 * asks first. Without an order, all would ask when the window ends, and the same one would win each time.
 */
export class RateOrder {
  private readonly refused: string[] = [];

  /** Notes that a shard was refused a job. @returns how much longer it has to wait than the window lasts, in ms */
  refuse(queue: string): number {
    if (!this.refused.includes(queue)) this.refused.push(queue);
    return this.refused.indexOf(queue) * STEP_MS;
  }

  /** Removes a shard that got a job or has none. */
  leave(queue: string): void {
    const at = this.refused.indexOf(queue);
    if (at >= 0) this.refused.splice(at, 1);
  }
}

/**
 * Makes the workers of a queue's shards share its rate limit. A job is taken only after it was counted. In the worst case (its
 * worker dies right then), a job is counted that was not taken, so the limit is never exceeded.
 */
export function withSharedRate(
  open: BackendFactory<RedisQueueBackend>,
  { redis, keyspace, queue, max, perMs, order }: SharedRateOptions,
): BackendFactory<RedisQueueBackend> {
  const scripts = scriptsOf(redis, runScripts);
  const counter = keyspace.queueKey(queueNameOf(queue), 'limiter');
  const jobs = ['wait', 'prioritized', 'delayed'].map((name) => keyspace.queueKey(queue, name));
  return (name, opts, options) => {
    const backend = open(name, opts, options);
    const moveToActive = backend.moveToActive.bind(backend);
    backend.moveToActive = async (token, worker) => {
      type Reply = Awaited<ReturnType<typeof moveToActive>>;
      // Without a job, nothing is counted.
      if ((await redis.exists(...jobs)) === 0) {
        order.leave(queue);
        return [] as unknown as Reply;
      }
      const [wait, end] = await scripts.takeRate(counter, max, perMs);
      if (wait > 0) return [undefined, undefined, wait + order.refuse(queue), 0] as unknown as Reply;
      order.leave(queue);
      let reply: Reply | undefined;
      try {
        reply = await moveToActive(token, worker);
        return reply;
      } finally {
        // A call that failed may have taken a job.
        if (reply && !reply[0]) await scripts.returnRate(counter, end);
      }
    };
    return backend;
  };
}
