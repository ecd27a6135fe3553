import type { Logger } from '../process/log.js';
import { isRedisFault } from '../redis/faults.js';

/** The maximum number of faults to remember. The oldest is forgotten first, and logged again when it recurs. */
const REMEMBERED = 1000;

/**
 * Keeps one broken job from holding up work on many. A job can have unusable data: a hash of the wrong type, a result that
 * is not JSON. Such a job is logged once and skipped. An error that means that Redis is unavailable concerns all jobs and is
 * thrown: the caller has to try again.
 */
export interface JobFaults {
  /**
   * Works on one job.
   * @param doing the verb for the log: `could not <doing> a job`
   * @param onFault called for a job that is skipped
   * @returns `undefined` for a job that was skipped
   * @throws the error of the work, if it means that Redis is unavailable
   */
  guard<T>(
    doing: string,
    jobId: string,
    work: () => Promise<T>,
    onFault?: () => Promise<unknown>,
  ): Promise<T | undefined>;
  /**
   * Does the same work on several jobs concurrently. Resolves when all of it has ended.
   * @returns the results, in the order of the jobs
   * @throws the first error that means that Redis is unavailable
   */
  each<T>(
    doing: string,
    jobIds: readonly string[],
    work: (jobId: string, index: number) => Promise<T>,
    onFault?: (jobId: string) => Promise<unknown>,
  ): Promise<Array<T | undefined>>;
}

/** @param subject what the ids identify. Defaults to `job`. */
export function createJobFaults(log: Logger, subject: 'job' | 'schedule' = 'job'): JobFaults {
  const field = subject === 'job' ? 'jobId' : subject;
  const known = new Set<string>();

  function remember(key: string): boolean {
    if (known.has(key)) return false;
    known.add(key);
    const [oldest] = known;
    if (oldest !== undefined && known.size > REMEMBERED) known.delete(oldest);
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
        log.warn({ err: error, [field]: jobId }, `could not ${doing} a ${subject}; it is skipped`);
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
