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
 * Adds a job to the index that is being queued in this turn of the event loop. The call to Redis is made at the end of the
 * turn, behind those that queue the jobs.
 * @returns its state; `undefined` if the job has been indexed already, or does not exist (yet)
 */
export type NewJobIndexer = (jobId: string) => Promise<JobState | undefined>;

/** Creates an indexer of new jobs. The jobs of one turn, of a batch or of several requests, share a call to Redis. */
export function createNewJobIndexer(redis: Redis, keyspace: Keyspace): NewJobIndexer {
  const { records, sets } = indexKeys(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  let group: Group | undefined;

  function openGroup(): Group {
    const ids: string[] = [];
    const states = new Promise<string[]>((resolve, reject) => {
      setImmediate(() => {
        group = undefined;
        send(ids).then(resolve, reject);
      });
    });
    return { ids, states };
  }

  function send(ids: string[]): Promise<string[]> {
    const hashes = ids.map((jobId) => {
      const { queue, id } = requireAddress(jobId);
      return keyspace.queueKey(queue, id);
    });
    return scripts.indexNewJobs(1 + hashes.length, records, ...hashes, sets, ...ids);
  }

  return async (jobId) => {
    if (!group || group.ids.length === AT_ONCE) group = openGroup();
    const { ids, states } = group;
    const index = ids.push(jobId) - 1;
    return ((await states)[index] || undefined) as JobState | undefined;
  };
}

/** The jobs of one call. */
interface Group {
  ids: string[];
  states: Promise<string[]>;
}
