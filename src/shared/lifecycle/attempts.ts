import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts } from './scripts.js';

/** The number of stream entries that one call examines. */
const ENTRIES_AT_ONCE = 500;

/**
 * Returns the attempt that each job was in when an entry was written to the event stream of its queue; 0 for a removed job.
 * @param ids ids in BullMQ
 */
export type AttemptsReader = (queue: string, entryId: string, ids: string[]) => Promise<number[]>;

export function createAttemptsReader(redis: RedisClient, keyspace: Keyspace): AttemptsReader {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (queue, entryId, ids) => {
    if (ids.length === 0) return [];
    const keys = ['events', ...ids].map((suffix) => keyspace.queueKey(queue, suffix));
    let attempts = ids.map(() => 0);
    let [upTo, from] = ['', entryId];
    do {
      const reply = await scripts.jobAttempts(keys.length, ...keys, from, upTo, ENTRIES_AT_ONCE, ...ids);
      const [end, last, ...numbers] = reply;
      attempts = attempts.map((attempt, i) => attempt + (numbers[i] ?? 0));
      [upTo, from] = [end, last];
    } while (from !== '');
    return attempts.map((attempt) => Math.max(attempt, 0));
  };
}
