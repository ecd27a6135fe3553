import { type JobAddress, requireAddress } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import { oncePerTurn } from '../process/once-per-turn.js';
import type { RedisClient } from '../redis/client.js';
import { passReplies, type Waiting } from '../redis/replies.js';
import { scriptsOf } from '../redis/scripts.js';
import { byShard, indexKeysByShard } from './keys.js';
import { jobIndexScripts } from './scripts.js';

/** The maximum number of jobs in one call. */
const AT_ONCE = 100;

/**
 * Adds a job to the index that is being queued in this turn of the event loop. The call to Redis is made at the end of the
 * turn, behind those that queue the jobs.
 * @returns its state; `undefined` if the job has been indexed already, or does not exist (yet)
 */
export type NewJobIndexer = (jobId: string) => Promise<JobState | undefined>;

/** Creates an indexer of new jobs. The jobs of one turn, of a batch or of several requests, share a call to Redis for each shard. */
export function createNewJobIndexer(redis: RedisClient, keyspace: Keyspace): NewJobIndexer {
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);
  const index = oncePerTurn((jobs: NewJob[]) => {
    for (const [shard, ofShard] of byShard(jobs)) {
      for (let i = 0; i < ofShard.length; i += AT_ONCE) void send(shard, ofShard.slice(i, i + AT_ONCE));
    }
  });

  async function send(shard: number, jobs: NewJob[]): Promise<void> {
    const { records, sets } = keysOf(shard);
    const hashes = jobs.map(({ address: { queue, id } }) => keyspace.queueKey(queue, id));
    const ids = jobs.map(({ jobId }) => jobId);
    await passReplies(jobs, () => scripts.indexNewJobs(1 + hashes.length, records, ...hashes, sets, ...ids));
  }

  return async (jobId) => {
    const address = requireAddress(jobId);
    const state = await new Promise<string>((resolve, reject) => index({ jobId, address, resolve, reject }));
    return (state || undefined) as JobState | undefined;
  };
}

/** A job that goes with the next call. */
interface NewJob extends Waiting<string> {
  jobId: string;
  address: JobAddress;
}
