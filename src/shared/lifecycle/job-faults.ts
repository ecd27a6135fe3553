import type { Logger } from '../process/log.js';
import { isRedisFault } from '../redis/faults.js';

/** So many faults are remembered at most; beyond that the oldest is forgotten, and logged again when it recurs. */
const REMEMBERED = 1000;

/**
 * Work on many jobs, of which one may have data that nothing can be done with: a hash of the wrong type, a result that
 * is not JSON. Such a job is logged once and stepped over, so that it is in nobody's way. An error that means that Redis
 * is away concerns all jobs and is thrown: the caller has to try again.
 */
export interface JobFaults {
  /**
   * Does some work on one job.
   * @param doing what the work is, for the log: `could not <doing> a job`
   * @param onFault what else to do about a job that is stepped over
   * @returns `undefined` for a job that was stepped over
   * @throws the error of the work, if Redis is away
   */
  guard<T>(
    doing: string,
    jobId: string,
    work: () => Promise<T>,
    onFault?: () => Promise<unknown>,
  ): Promise<T | undefined>;
  /**
   * Does the same work on each job, at the same time, and resolves when all of it has ended.
   * @returns the results, in the order of the jobs
   * @throws the first error that means that Redis is away
   */
  each<T>(
    doing: string,
    jobIds: readonly string[],
    work: (jobId: string, index: number) => Promise<T>,
    onFault?: (jobId: string) => Promise<unknown>,
  ): Promise<Array<T | undefined>>;
}

/** @param subject what the ids are of, if not of jobs */
export function createJobFaults(log: Logger, subject: 'job' | 'schedule' = 'job'): JobFaults {
  const field = subject === 'job' ? 'jobId' : subject;
  const known = new Set<string>();

  function remember(key: string): boolean {
    if (known.has(key)) return false;
    known.add(key);
    if (known.size > REMEMBERED) known.delete(known.values().next().value!);
    return true;
  }

  const guard: JobFaults['guard'] = async (doing, jobId, work, onFault) => {
    const key = `${doing} ${jobId}`;
    try {
      const result = await work();
      if (known.size > 0) known.delete(key);
      return result;
    } catch (error) {
      if (isRedisFault(error)) throw error;
      if (remember(key)) {
        log.warn({ err: error, [field]: jobId }, `could not ${doing} a ${subject}; it is stepped over`);
      }
      await onFault?.();
      return undefined;
    }
  };

  return {
    guard,
    async each(doing, jobIds, work, onFault) {
      const settled = await Promise.allSettled(
        jobIds.map((jobId, i) =>
          guard(doing, jobId, () => work(jobId, i), onFault && (() => onFault(jobId))),
        ),
      );
      return settled.map((outcome) => {
        if (outcome.status === 'rejected') throw outcome.reason;
        return outcome.value;
      });
    },
  };
}
