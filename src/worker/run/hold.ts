import type { Job } from 'bullmq';
import { addressOf } from '../../shared/jobs/queues.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import { StopReason } from './run.js';

/** Why a run ends whose job is not its own any more. */
export const lockLost = (): StopReason => new StopReason('lock-lost', 'another worker may have this job');

/**
 * Whether a job is not with the attempt that is about to run: its worker stood still, and the job has ended or runs
 * elsewhere. Nothing can be said of a job whose id is none that a channel can have.
 */
export function isElsewhere(now: JobSnapshot | undefined, jobId: string, attempt: number): boolean {
  if (!addressOf(jobId)) return false;
  return now !== undefined && (now.state !== 'active' || now.attempt !== attempt);
}

/**
 * Makes sure that the job is still this worker's. It asks Redis only when the lock may have run out since it was taken:
 * a worker that was not held up pays nothing.
 * @param since when the lock was still good, ms since 1970 by Redis' clock
 * @throws StopReason when the job is not ours any more
 */
export async function requireLock(job: Job, token: string, lockMs: number, since: number): Promise<void> {
  let good = since;
  while (serverNow() - good >= lockMs / 2) {
    const asked = serverNow();
    if (!(await untilTaken(() => job.extendLock(token, lockMs)))) throw lockLost();
    good = asked;
  }
}
