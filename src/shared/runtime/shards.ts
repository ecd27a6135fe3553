import type { OpenQueue } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import { every } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import type { RedisClient } from '../redis/client.js';
import { MAX_SHARDS } from '../shards.js';

/** How often a process looks for shards that others have added, in ms. */
const CHECK_MS = 5000;

/** Returns the key of the values of `QUEUE_SHARDS` that processes have or had: a set, absent if all had 1. */
export const shardsKey = ({ prefix }: Keyspace): string => `${prefix}:{shards}`;

export interface JoinShardsOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  openQueue: OpenQueue;
  /** The names of all queues. */
  queues: readonly string[];
}

export interface WatchShardsOptions extends JoinShardsOptions {
  log: Logger;
}

/** Records how many shards this process uses, and learns how many others do or did: jobs may be in all of these. */
export async function recordShards(options: JoinShardsOptions): Promise<void> {
  const { redis, keyspace } = options;
  const { shards } = keyspace;
  const key = shardsKey(keyspace);
  if (shards.placed > 1 && (await redis.sismember(key, shards.placed)) === 0) {
    // Recorded last, so that this is repeated if the process ends in between.
    await pauseInNewShards(options);
    await redis.sadd(key, shards.placed);
  }
  await learnShards(redis, keyspace);
}

/** Returns the values of `QUEUE_SHARDS` that processes have or had. */
export async function readShardCounts(redis: RedisClient, keyspace: Keyspace): Promise<number[]> {
  const counts = (await redis.smembers(shardsKey(keyspace))).map(Number);
  return counts.filter((count) => Number.isInteger(count) && count >= 1 && count <= MAX_SHARDS);
}

/** Learns how many shards processes use or used. */
export async function learnShards(redis: RedisClient, keyspace: Keyspace): Promise<void> {
  keyspace.shards.learn(await readShardCounts(redis, keyspace));
}

/** Pauses queues in new shards that are paused in the first one. */
async function pauseInNewShards({ openQueue, queues, keyspace }: JoinShardsOptions): Promise<void> {
  await Promise.all(
    queues.map(async (queue) => {
      if (!(await openQueue(queue).isPaused())) return;
      const others = keyspace.shards.of(queue).slice(1);
      await Promise.all(others.map((name) => openQueue(name).pause()));
    }),
  );
}

/** Goes on learning about the shards of other processes. They must have been recorded once: {@link recordShards}. */
export function watchShards(options: WatchShardsOptions): Service {
  const { redis, keyspace, log } = options;
  const { shards } = keyspace;
  let { known } = shards;
  if (known > shards.placed) {
    const fields = { QUEUE_SHARDS: shards.placed, shards: known };
    log.warn(
      fields,
      'there may be jobs in more shards than QUEUE_SHARDS; they are served until none is left',
    );
  }
  const check = async (): Promise<void> => {
    await recordShards(options);
    if (shards.known > known) {
      const fields = { QUEUE_SHARDS: shards.placed, shards: shards.known };
      log.warn(
        fields,
        'another process has added shards; this process shows their jobs, and serves them after a restart',
      );
    }
    known = shards.known;
  };
  const checks = every(CHECK_MS, check, (error) => log.debug({ err: error }, 'could not read the shards'));
  /** Records all counts again: a failover may have lost them, and there may be no process left that places jobs there. */
  const restore = async (): Promise<void> => {
    const counts = shards.counts.filter((count) => count > 1);
    if (counts.length > 0) await redis.sadd(shardsKey(keyspace), ...counts);
    await checks.run();
  };
  const onReady = (): void => {
    restore().catch((error) => log.debug({ err: error }, 'could not record the shards'));
  };
  redis.on('ready', onReady);
  return {
    async stop() {
      redis.off('ready', onReady);
      // Not awaited: while Redis is away, a check of a worker does not end.
      void checks.stop();
    },
  };
}
