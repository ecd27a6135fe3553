import { Job } from 'bullmq';
import { type OpenQueue, requireAddress } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts } from './scripts.js';

/**
 * Retries a failed job with its full number of attempts. Does nothing if another caller has just retried it.
 * @param data replaces the job's data, if given
 */
export async function retryFailed(openQueue: OpenQueue, jobId: string, data?: unknown): Promise<void> {
  const { queue, id } = requireAddress(jobId);
  const job = await Job.fromId(openQueue(queue), id);
  if (data !== undefined) await job?.updateData(data);
  await job?.retry('failed', { resetAttemptsMade: true }).catch((error: unknown) => {
    if (!/is not in the failed state|Missing key/.test((error as Error).message)) throw error;
  });
}

/** Restores the deduplication key of a job that was retried. */
export type KeyHolder = (jobId: string) => Promise<void>;

/**
 * Creates a function that restores the deduplication key of a retried job, so that a start with that key finds the
 * job again. Does nothing if another job has taken the key meanwhile.
 */
export function createKeyHolder(redis: RedisClient, keyspace: Keyspace): KeyHolder {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (jobId) => {
    const { queue, id } = requireAddress(jobId);
    const key = (suffix: string): string => keyspace.queueKey(queue, suffix);
    await scripts.holdKey(key(id), key('completed'), key('failed'), id, key('de:'));
  };
}
