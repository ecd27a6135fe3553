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
  log: Logger;
}

/**
 * Records how many shards this process uses, and learns how many others do or did: jobs may be in all of these.
 * @returns whether no other process uses as many
 */
export async function recordShards(redis: RedisClient, keyspace: Keyspace): Promise<boolean> {
  const { shards } = keyspace;
  const key = shardsKey(keyspace);
  const added = shards.placed > 1 && (await redis.sadd(key, shards.placed)) === 1;
  const counts = (await redis.smembers(key)).map(Number);
  shards.learn(counts.filter((count) => Number.isInteger(count) && count >= 1 && count <= MAX_SHARDS));
  return added;
}

/** Pauses queues in new shards that are paused in the first one. */
export async function pauseInNewShards(
  openQueue: OpenQueue,
  queues: readonly string[],
  { shards }: Keyspace,
): Promise<void> {
  await Promise.all(
    queues.map(async (queue) => {
      if (!(await openQueue(queue).isPaused())) return;
      const others = shards.of(queue).slice(1);
      await Promise.all(others.map((name) => openQueue(name).pause()));
    }),
  );
}

/** Goes on learning about the shards of other processes. They must have been recorded once: {@link recordShards}. */
export function watchShards({ redis, keyspace, log }: JoinShardsOptions): Service {
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
    await recordShards(redis, keyspace);
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
  // Redis may have lost what was recorded last.
  const onReady = (): void => void checks.run();
  redis.on('ready', onReady);
  return {
    async stop() {
      redis.off('ready', onReady);
      // Not awaited: while Redis is away, a check of a worker does not end.
      void checks.stop();
    },
  };
}
