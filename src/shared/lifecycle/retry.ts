import { Job } from 'bullmq';
import { addressOf, type OpenQueue } from '../queues.js';

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
