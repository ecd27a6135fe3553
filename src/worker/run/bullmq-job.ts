import type { Job } from 'bullmq';
import { addressOf } from '../../shared/jobs/queues.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import { StopReason } from './run.js';

/** Why a run stops when its job may belong to another worker. */
export const lockLost = (): StopReason => new StopReason('lock-lost', 'another worker may have this job');

/**
 * Whether a job no longer belongs to the attempt that is about to run, because the worker was blocked and the job has
 * ended or runs elsewhere. False if the id of the job cannot have a channel: its state is then unknown.
 */
export function isElsewhere(now: JobSnapshot | undefined, jobId: string, attempt: number): boolean {
  if (!addressOf(jobId)) return false;
  return now !== undefined && (now.state !== 'active' || now.attempt !== attempt);
}

/**
 * Makes sure that this worker still holds the lock of a job. Asks Redis only if the lock may have expired since it was
 * acquired, so a worker that was not blocked makes no call.
 * @param since a time at which the lock was valid, in ms since 1970 by the clock of Redis
 * @throws StopReason if the lock is lost
 */
export async function requireLock(job: Job, token: string, lockMs: number, since: number): Promise<void> {
  let validAt = since;
  while (serverNow() - validAt >= lockMs / 2) {
    const askedAt = serverNow();
    if (!(await untilTaken(() => job.extendLock(token, lockMs)))) throw lockLost();
    validAt = askedAt;
  }
}

/** Returns a running job to the head of its queue, so that any free worker can take it. */
export async function handBack(job: Job, token: string, redis: RedisClient): Promise<void> {
  await job.moveToWait(token);
  // BullMQ wakes idle workers (by its marker) only for jobs without a priority; otherwise they notice after 5 s.
  if (job.priority) await redis.zadd(`${job.queueQualifiedName}:marker`, 0, '0');
}

/**
 * Makes a job retry its last step until Redis accepts it. BullMQ tries once, and fails a completed job when Redis refuses
 * the command.
 *
 * If Redis accepted the first try but its reply was lost, it refuses the second one because the job has moved on. BullMQ
 * reports that as an error of the worker, and the state of the job stays as it is.
 */
export function retryLastStep(job: Job, log: Logger): void {
  const onRefused = (error: unknown): void =>
    log.warn({ err: error }, 'Redis refused the final state of a job; retrying');
  const { moveToCompleted, moveToFailed } = job;
  job.moveToCompleted = (...args) => untilTaken(() => moveToCompleted.apply(job, args), { onRefused });
  job.moveToFailed = ((...args: Parameters<typeof moveToFailed>) =>
    untilTaken(() => moveToFailed.apply(job, args), { onRefused })) as typeof moveToFailed;
}
