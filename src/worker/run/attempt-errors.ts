import { type Job, UnrecoverableError, WaitingError } from 'bullmq';
import { keyOfStored } from '../../shared/jobs/queues.js';
import { asError } from '../../shared/jobs/thrown.js';
import { CANCELLED_REASON, type JobErrorCode } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import { handBack } from './bullmq-job.js';
import type { Execution } from './execution.js';
import { isPermanent, readable } from './failure.js';
import { attemptFields } from './log-fields.js';
import { type ActiveRuns, type Run, StopReason } from './run.js';
import type { Suspects } from './suspects.js';

export interface AttemptErrorsOptions {
  redis: RedisClient;
  runs: ActiveRuns;
  suspects: Suspects;
  log: Logger;
}

/** Creates the functions that decide which error BullMQ gets for an attempt, and thereby what it does with the job. */
export function createAttemptErrors({ redis, runs, suspects, log }: AttemptErrorsOptions) {
  /** Returns the error with which a job fails without another attempt. @param code stored for programs */
  async function finalError(job: Job, message: string, code?: JobErrorCode): Promise<Error> {
    if (code) {
      await untilTaken(() => redis.hset(keyOfStored(job), 'hw:code', `${job.attemptsStarted} ${code}`));
    }
    return new UnrecoverableError(message);
  }

  /**
   * Returns the error to give to BullMQ for what a run threw, and hands the job back if it should run again.
   * @param flush resolves when Redis has all reports of the run and its children
   */
  async function failureOf(
    thrown: unknown,
    job: Job,
    token: string,
    run: Run,
    execution: Execution,
    flush: () => Promise<unknown>,
  ): Promise<Error> {
    // Calls to Redis are abandoned when a run is stopped: the reason for the stop is the real error.
    if (run.stopped && isRedisFault(thrown)) return failureOf(run.stopped, job, token, run, execution, flush);
    const isCause = thrown instanceof StopReason && (thrown.why === 'child' || thrown.why === 'uncaught');
    const error = isCause ? readable(thrown.cause) : thrown;
    if (error instanceof StopReason) {
      if (error.why === 'lock-lost') {
        if (!run.isLost) execution.drop();
        return new WaitingError();
      }
      await flush();
      if (run.isLost) return new WaitingError();
      if (error.why === 'cancel') return finalError(job, CANCELLED_REASON);
      // Another attempt would take as long, or as much.
      if (error.why === 'timeout' || error.why === 'memory') return finalError(job, error.message, error.why);
      // Not handed back: BullMQ finds the job stalled, which counts against it.
      if (runs.crashCause === run) return new WaitingError();
      if (runs.crashing && run.begun) await untilTaken(() => suspects.noteCrash(job));
      run.isHandedBack = true;
      await untilTaken(() => handBack(job, token, redis));
      return new WaitingError();
    }
    await flush();
    if (run.isLost) return new WaitingError();
    // Viewers see only the message; the original error from a library or the system is logged here.
    if (error instanceof Error && error.cause !== undefined) {
      log.warn({ err: error, ...attemptFields(job) }, 'an attempt failed');
    }
    // BullMQ recognises its errors by name too.
    const plain = asError(error);
    return isPermanent(error) && plain.name !== 'UnrecoverableError'
      ? finalError(job, plain.message, 'permanent')
      : plain;
  }

  return { finalError, failureOf };
}
