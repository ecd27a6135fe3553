import { Job } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { addressOf, type OpenQueue, queueKey } from '../jobs/queues.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts } from './scripts.js';

/**
 * Puts a failed job back into the queue, with all of its attempts before it. Somebody who does the same at the same
 * time has done it.
 * @param data replaces the job's data, if given
 */
export async function retryFailed(openQueue: OpenQueue, jobId: string, data?: unknown): Promise<void> {
  const { queue, id } = addressOf(jobId)!;
  const job = await Job.fromId(openQueue(queue), id);
  if (data !== undefined) await job?.updateData(data);
  await job?.retry('failed', { resetAttemptsMade: true }).catch((error: unknown) => {
    if (!/is not in the failed state|Missing key/.test((error as Error).message)) throw error;
  });
}

/** @param jobId of a job that was put back */
export type KeyHolder = (jobId: string) => Promise<void>;

/** Has starts with the deduplication key of a job that was put back find that job, unless another has the key by now. */
export function createKeyHolder(redis: Redis | Cluster, queuePrefix: string): KeyHolder {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (jobId) => {
    const { queue, id } = addressOf(jobId)!;
    const key = (suffix: string): string => queueKey(queuePrefix, queue, suffix);
    await scripts.holdKey(key(id), key('completed'), key('failed'), id, key('de:'));
  };
}
