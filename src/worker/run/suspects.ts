import { type Job, UnrecoverableError } from 'bullmq';
import { keyOfStored } from '../../shared/jobs/queues.js';
import { STALLED_REASON } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import { attemptFields } from './log-fields.js';
import type { Run } from './run.js';
import { runScripts } from './scripts.js';
import { Permits } from './thread/permits.js';

/** A job that has lost its worker this many times may be the cause. */
const SUSPICIOUS = 2;
/** Maximum time a job waits for its turn: the one before it may take hours, and may not be the cause either. */
const MAX_WAIT_MS = 10 * 60_000;

export interface SuspectsOptions {
  redis: RedisClient;
  /** A job that has lost its worker more often than this fails. */
  maxStalls: number;
  log: Logger;
}

/**
 * Finds the job that crashes its worker process. When a process dies, any of its jobs may be the cause. Jobs that were
 * lost more than once therefore run one at a time: if the process dies again, the running one was the cause, and only
 * that loss is counted. Jobs that were waiting for their turn are not affected.
 */
export interface Suspects {
  /**
   * Waits until a job may run. Most jobs may run at once.
   * @param stalls how many times BullMQ found the job stalled
   * @returns a function that ends the turn before the run ends. Call it before the job waits for another job, which may
   *   be waiting for its turn. Further calls do nothing
   * @throws UnrecoverableError if the job has lost its worker too often
   */
  enter(job: Job, run: Run, stalls: number): Promise<() => void>;
  /** Records that a job was running in a process that ends because of an error that cannot be assigned to a job. */
  noteCrash(job: Job): Promise<void>;
}

export function createSuspects({ redis, maxStalls, log }: SuspectsOptions): Suspects {
  const turns = new Permits(1);
  const scripts = scriptsOf(redis, runScripts);
  const keyOf = (job: Job): string => keyOfStored(job);
  const suspicious = Math.min(SUSPICIOUS, Math.max(maxStalls, 1));

  /** Retries while Redis refuses commands, so that the job does not fail for that. */
  const patiently = <T>(run: Run, call: () => Promise<T>): Promise<T> =>
    untilTaken(call, { signal: run.signal });

  async function takeTurn(run: Run): Promise<() => void> {
    const timeout = AbortSignal.timeout(MAX_WAIT_MS);
    let held = true;
    await turns.acquire(AbortSignal.any([run.signal, timeout])).catch((error) => {
      run.signal.throwIfAborted();
      if (!timeout.aborted) throw error;
      held = false;
    });
    const leave = (): void => {
      if (held) turns.release();
      held = false;
    };
    if (run.ended.aborted) leave();
    else run.ended.addEventListener('abort', leave, { once: true });
    return leave;
  }

  return {
    async enter(job, run, stalls) {
      const key = keyOf(job);
      const recordLosses = (now: number, most: number): Promise<void> =>
        patiently(run, () => scripts.noteLosses(key, now, most));
      // The first run of a job cannot have lost a worker, so Redis is not asked.
      if (job.attemptsStarted < 2) return () => {};
      const noted = await patiently(run, () => redis.hget(key, 'hw:losses'));
      // Losses beyond that happened while the job waited for its turn.
      const losses = Math.min(stalls, noted === null ? suspicious : Number(noted));
      if (losses > maxStalls) {
        // If the job is retried by hand, it may lose its worker once more.
        await recordLosses(maxStalls, maxStalls);
        throw new UnrecoverableError(STALLED_REASON);
      }
      if (losses < suspicious && noted === null) return () => {};
      log.info(
        { ...attemptFields(job), losses },
        'this job has lost its worker before; it does not run together with other such jobs',
      );
      const leave = await takeTurn(run);
      run.suspect = true;
      await recordLosses(losses, losses + 1);
      return leave;
    },
    async noteCrash(job) {
      await scripts.noteLosses(keyOf(job), '', '');
    },
  };
}
