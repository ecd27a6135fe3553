import { Job, type Queue } from 'bullmq';

/**
 * Puts a failed job back into the queue, with all of its attempts before it. Somebody who does the same at the same
 * time has done it.
 */
export async function retryFailed(queue: Queue, jobId: string): Promise<void> {
  const job = await Job.fromId(queue, jobId);
  await job?.retry('failed', { resetAttemptsMade: true }).catch((error: unknown) => {
    if (!/is not in the failed state|Missing key/.test((error as Error).message)) throw error;
  });
}
