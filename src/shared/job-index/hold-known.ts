import type { Redis } from 'ioredis';
import { addressOf, queueKey } from '../jobs/queues.js';
import type { JobFaults } from '../lifecycle/job-faults.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

const AT_ONCE = 500;
/**
 * Rounds are made for this long after the first: while processes are replaced one by one, those of the release before
 * still accept jobs.
 */
const ROUNDS_FOR_MS = 60 * 60_000;

/**
 * Holds the files of jobs that are in the index already. Jobs that a release without held files has indexed hold none,
 * and nothing else makes up for it while they wait.
 */
export interface HoldKnown {
  /** Goes one step further through the index. @returns false when there is nothing to do in this round */
  step(): Promise<boolean>;
  /** Begins another round, if one is due. */
  restart(): void;
}

export function createHoldKnown(redis: Redis, queuePrefix: string, faults: JobFaults): HoldKnown {
  const { records, sets, filesHeld } = indexKeys(queuePrefix);
  const scripts = scriptsOf(redis, jobIndexScripts);
  /** `undefined`: nobody has asked yet whether a round is due. */
  let cursor: string | 'done' | undefined;

  async function hold(jobId: string): Promise<void> {
    const address = addressOf(jobId);
    if (!address) return;
    const { queue, id } = address;
    const key = (suffix: string): string => queueKey(queuePrefix, queue, suffix);
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
      // Fields and values by turns.
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
