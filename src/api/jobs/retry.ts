import { Job } from 'bullmq';
import { addressOf, type OpenQueue } from '../../shared/queues.js';

/**
 * Puts a failed job back into the queue, with all of its attempts before it. Somebody who does the same at the same
 * time has done it.
 */
export async function retryFailed(openQueue: OpenQueue, jobId: string): Promise<void> {
  const { queue, id } = addressOf(jobId)!;
  const job = await Job.fromId(openQueue(queue), id);
  await job?.retry('failed', { resetAttemptsMade: true }).catch((error: unknown) => {
    if (!/is not in the failed state|Missing key/.test((error as Error).message)) throw error;
  });
}
