import { readFileSync } from 'node:fs';
import { Job } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { addressOf, type OpenQueue, queueKey } from '../jobs/queues.js';

const lua = readFileSync(new URL('./scripts/hold-key.lua', import.meta.url), 'utf8');

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
  // Defined long before it is called: a pipeline that ioredis has open at that moment does not know it, and throws.
  if (!('holdKey' in redis)) redis.defineCommand('holdKey', { numberOfKeys: 3, lua });
  const scripts = redis as unknown as { holdKey(...args: string[]): Promise<void> };
  return async (jobId) => {
    const { queue, id } = addressOf(jobId)!;
    const key = (suffix: string): string => queueKey(queuePrefix, queue, suffix);
    await scripts.holdKey(key(id), key('completed'), key('failed'), id, key('de:'));
  };
}
