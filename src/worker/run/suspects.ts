import { type Job, UnrecoverableError } from 'bullmq';
import type { Redis } from 'ioredis';
import { queueKey } from '../../shared/jobs/queues.js';
import { STALLED_REASON } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import type { Run } from './run.js';
import { runScripts } from './scripts.js';
import { Permits } from './thread/permits.js';

/** A job that has lost its worker this often may be the reason. */
const SUSPICIOUS = 2;
/** A job waits this long for its turn at most: one that goes before it may take hours, and be innocent too. */
const MAX_WAIT_MS = 10 * 60_000;

export interface SuspectsOptions {
  redis: Redis;
  queuePrefix: string;
  /** A job that has lost its worker more often than this fails. */
  maxStalls: number;
  log: Logger;
}

/**
 * Finds out which job ends its worker process, where nothing says so. A job that was lost with a process may have been
 * innocent, so jobs that were lost more than once run one at a time in a process: if it dies again, it was the one that
 * ran. Only that one is counted; those that waited for their turn are not.
 */
export interface Suspects {
  /**
   * Waits until a job may run. Most may at once.
   * @param stalls how often it was found without its worker
   * @returns gives up its turn before the end of the run. To be called before it waits for another job, which may be
   *   waiting for a turn; a second call does nothing
   * @throws UnrecoverableError for a job that has lost its worker too often
   */
  enter(job: Job, run: Run, stalls: number): Promise<() => void>;
  /** Notes that a job ran in a process that ends of an error which belongs to no job. */
  noteCrash(job: Job): Promise<void>;
}

export function createSuspects({ redis, queuePrefix, maxStalls, log }: SuspectsOptions): Suspects {
  const turns = new Permits(1);
  const scripts = scriptsOf(redis, runScripts);
  const keyOf = (job: Job): string => queueKey(queuePrefix, job.queueName, job.id!);
  const suspicious = Math.min(SUSPICIOUS, Math.max(maxStalls, 1));

  /** A Redis that refuses for a while is no reason for the job to fail. */
  const patiently = <T>(run: Run, call: () => Promise<T>): Promise<T> =>
    untilTaken(call, { signal: run.signal });

  async function takeTurn(run: Run): Promise<() => void> {
    const late = AbortSignal.timeout(MAX_WAIT_MS);
    let held = true;
    await turns.take(AbortSignal.any([run.signal, late])).catch((error) => {
      run.signal.throwIfAborted();
      if (!late.aborted) throw error;
      held = false;
    });
    const leave = (): void => {
      if (held) turns.giveBack();
      held = false;
    };
    if (run.ended.aborted) leave();
    else run.ended.addEventListener('abort', leave, { once: true });
    return leave;
  }

  return {
    async enter(job, run, stalls) {
      const key = keyOf(job);
      const note = (now: number, most: number): Promise<void> =>
        patiently(run, () => scripts.noteLosses(key, now, most));
      // The first run of a job has nothing behind it: nothing is asked.
      if (job.attemptsStarted < 2) return () => {};
      const noted = await patiently(run, () => redis.hget(key, 'hw:losses'));
      // What goes beyond are runs that were lost while they waited for their turn.
      const losses = Math.min(stalls, noted === null ? suspicious : Number(noted));
      if (losses > maxStalls) {
        // Put back by somebody, it may lose its worker once more.
        await note(maxStalls, maxStalls);
        throw new UnrecoverableError(STALLED_REASON);
      }
      if (losses < suspicious && noted === null) return () => {};
      log.info(
        { id: job.id, losses },
        'this job has lost its worker before: it runs apart from others that have',
      );
      const leave = await takeTurn(run);
      run.suspect = true;
      await note(losses, losses + 1);
      return leave;
    },
    async noteCrash(job) {
      await scripts.noteLosses(keyOf(job), '', '');
    },
  };
}
