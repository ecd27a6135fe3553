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
  /** The queue in a shard after the first, where BullMQ applies the limit itself. */
  queue: string;
  max: number;
  perMs: number;
}

/**
 * Makes a worker of a further shard share the rate limit of its queue with the first shard. A job is taken only after it was
 * counted. In the worst case (its worker dies right then), a job is counted that was not taken, so the limit is never exceeded.
 */
export function withSharedRate(
  open: BackendFactory<RedisQueueBackend>,
  { redis, keyspace, queue, max, perMs }: SharedRateOptions,
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
      if ((await redis.exists(...jobs)) === 0) return [] as unknown as Reply;
      const [wait, end] = await scripts.takeRate(counter, max, perMs);
      if (wait > 0) return [undefined, undefined, wait, 0] as unknown as Reply;
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
