import type { Cluster, Redis } from 'ioredis';
import { queueKey } from '../jobs/queues.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts } from './scripts.js';

/** Entries of an event stream that one call looks at. */
const ENTRIES_AT_ONCE = 500;

/** Reads in which attempt jobs of a queue (their ids in BullMQ) were when an entry of its event stream was written; 0 for one that is gone. */
export type AttemptsReader = (queue: string, entryId: string, ids: string[]) => Promise<number[]>;

export function createAttemptsReader(redis: Redis | Cluster, queuePrefix: string): AttemptsReader {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (queue, entryId, ids) => {
    if (ids.length === 0) return [];
    const keys = ['events', ...ids].map((suffix) => queueKey(queuePrefix, queue, suffix));
    const attempts = ids.map(() => 0);
    let [upTo, from] = ['', entryId];
    do {
      const reply = await scripts.jobAttempts(keys.length, ...keys, from, upTo, ENTRIES_AT_ONCE, ...ids);
      const [end, last, ...numbers] = reply;
      for (const [i, number] of numbers.entries()) attempts[i]! += number;
      [upTo, from] = [end, last];
    } while (from !== '');
    return attempts.map((attempt) => Math.max(attempt, 0));
  };
}
