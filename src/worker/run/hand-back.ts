import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueKey } from '../../shared/jobs/queues.js';

/** Puts a job that runs here back into its queue, before all others, for whichever worker is free. */
export async function handBack(job: Job, token: string, redis: Redis, queuePrefix: string): Promise<void> {
  await job.moveToWait(token);
  // BullMQ tells idle workers of it (by its marker) only where the job has no priority; else they look in 5 s.
  if (job.priority) await redis.zadd(queueKey(queuePrefix, job.queueName, 'marker'), 0, '0');
}
