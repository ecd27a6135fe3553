import { addressOf } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import type { JobFaults } from '../lifecycle/job-faults.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

const AT_ONCE = 500;
/**
 * How long rounds are repeated after the first. During a rolling update, processes of the previous release still accept
 * jobs.
 */
const ROUNDS_FOR_MS = 60 * 60_000;

/**
 * Holds the files of jobs that are already in the index. Jobs that were indexed by an earlier release hold no files until
 * their state changes.
 */
export interface HoldKnown {
  /** Handles the next part of the index. @returns false when this round has nothing left to do */
  step(): Promise<boolean>;
  /** Starts another round, if one is due. */
  restart(): void;
}

export interface HoldKnownOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  /** The shard whose index is read. */
  shard: number;
  faults: JobFaults;
}

export function createHoldKnown({ redis, keyspace, shard, faults }: HoldKnownOptions): HoldKnown {
  const { records, sets, filesHeld } = indexKeys(keyspace, shard);
  const scripts = scriptsOf(redis, jobIndexScripts);
  /** `undefined` until the first step has checked whether a round is due. */
  let cursor: string | 'done' | undefined;

  async function hold(jobId: string): Promise<void> {
    const address = addressOf(jobId);
    if (!address) return;
    const { queue, id } = address;
    const key = (suffix: string): string => keyspace.queueKey(queue, suffix);
    await scripts.holdJobFiles(key(id), key('completed'), sets, id);
  }

  async function isDue(): Promise<boolean> {
    const since = await redis.get(filesHeld);
    return since === null || serverNow() - Number(since) < ROUNDS_FOR_MS;
  }

  return {
    async step() {
      cursor ??= (await isDue()) ? '0' : 'done';
      if (cursor === 'done') return false;
      const [next, found] = await redis.hscan(records, cursor, 'COUNT', AT_ONCE);
      // HSCAN returns fields and values alternately.
      const jobIds = found.filter((_, i) => i % 2 === 0);
      await faults.each('hold the files of', jobIds, (jobId) => hold(jobId));
      if (next === '0') await redis.set(filesHeld, serverNow(), 'NX');
      cursor = next === '0' ? 'done' : next;
      return true;
    },
    restart() {
      cursor = undefined;
    },
  };
}
