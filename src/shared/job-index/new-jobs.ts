import type { Redis } from 'ioredis';
import { requireAddress } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

/** The maximum number of jobs in one call. */
const AT_ONCE = 100;

/**
 * Adds a job to the index that was just queued.
 * @returns its state; `undefined` if the job has been indexed already, or does not exist
 */
export type NewJobIndexer = (jobId: string) => Promise<JobState | undefined>;

/** Creates an indexer of new jobs. The jobs of one turn, such as those of a batch, share a call to Redis. */
export function createNewJobIndexer(redis: Redis, keyspace: Keyspace): NewJobIndexer {
  const { records, sets } = indexKeys(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  let group: { ids: string[]; states: Promise<string[]> } | undefined;

  function openGroup(): { ids: string[]; states: Promise<string[]> } {
    const ids: string[] = [];
    // Sent when this turn has added all its jobs.
    const states = Promise.resolve().then(() => {
      group = undefined;
      const hashes = ids.map((jobId) => {
        const { queue, id } = requireAddress(jobId);
        return keyspace.queueKey(queue, id);
      });
      return scripts.indexNewJobs(1 + hashes.length, records, ...hashes, sets, ...ids);
    });
    return { ids, states };
  }

  return async (jobId) => {
    if (!group || group.ids.length === AT_ONCE) group = openGroup();
    const { ids, states } = group;
    const index = ids.push(jobId) - 1;
    return ((await states)[index] || undefined) as JobState | undefined;
  };
}
