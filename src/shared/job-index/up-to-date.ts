import { channelKeys, jobChannel } from '../channel/keys.js';
import { requireAddress } from '../jobs/queues.js';
import { runOf } from '../jobs/scheduled-run.js';
import type { Keyspace } from '../keyspace.js';
import type { UpToDateCheck } from '../lifecycle/queue-follower.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { shardOf } from '../shards.js';
import { indexKeysByShard } from './keys.js';
import { jobIndexScripts } from './scripts.js';

/** How many jobs one call examines. Redis does nothing else during a script. */
const AT_ONCE = 100;

/** The keys of a queue that the script reads. */
const QUEUE_KEYS = ['completed', 'failed', 'delayed', 'prioritized', 'waiting-children', 'meta'];

/**
 * Creates a check that finds jobs that wait for their first run, run, or have completed, if both their channel and the index
 * say so: a process of ours has published and indexed that. It costs a fraction of the reconciliations that it saves.
 * Whether a waiting job has a worker is not compared: the API processes in which the job is watched publish that.
 */
export function createUpToDateCheck(redis: RedisClient, keyspace: Keyspace): UpToDateCheck {
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);

  async function examine(
    queue: string,
    jobs: Array<{ jobId: string; id: string }>,
  ): Promise<Array<[jobId: string, owner: string]>> {
    const key = (suffix: string): string => keyspace.queueKey(queue, suffix);
    const keys = [keysOf(shardOf(queue)).records, ...QUEUE_KEYS.map(key)];
    for (const { jobId, id } of jobs) keys.push(key(id), channelKeys(keyspace, jobChannel(jobId))[0]);
    const ids = jobs.flatMap(({ jobId, id }) => [jobId, id]);
    const owners = await scripts.jobsUpToDate(keys.length, ...keys, ...ids);
    return jobs.flatMap(({ jobId }, i): Array<[string, string]> => {
      const owner = owners[i];
      return owner == null ? [] : [[jobId, owner]];
    });
  }

  return async (queue, jobIds) => {
    const jobs = jobIds
      .map((jobId) => ({ jobId, id: requireAddress(jobId).id }))
      // The runs of a schedule are counted.
      .filter(({ id }) => !runOf(id));
    const parts = Array.from({ length: Math.ceil(jobs.length / AT_ONCE) }, (_, i) =>
      jobs.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
    );
    return new Map((await Promise.all(parts.map((part) => examine(queue, part)))).flat());
  };
}
