import type { Job } from 'bullmq';
import type { Logger } from '../../shared/process/log.js';
import { untilTaken } from '../../shared/redis/until-taken.js';

/**
 * Repeats BullMQ's last step of a job until Redis has taken it. BullMQ itself tries once, and fails a job that has completed
 * when Redis refuses that for the moment.
 *
 * Where the first answer was lost, the second try is refused because the job has moved on; BullMQ takes that for an error of
 * the worker, and the job stays what it is.
 */
export function endPatiently(job: Job, log: Logger): void {
  const onRefused = (error: unknown): void =>
    log.warn({ err: error, id: job.id }, 'Redis did not take the end of a job; trying again');
  const { moveToCompleted, moveToFailed } = job;
  job.moveToCompleted = (...args) => untilTaken(() => moveToCompleted.apply(job, args), { onRefused });
  job.moveToFailed = ((...args: Parameters<typeof moveToFailed>) =>
    untilTaken(() => moveToFailed.apply(job, args), { onRefused })) as typeof moveToFailed;
}
