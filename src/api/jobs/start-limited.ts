import type { HeadwayError } from '../../shared/errors.js';
import type { Enqueued } from '../../shared/runtime/enqueue.js';
import type { LimitedCaller } from '../limits/caller.js';
import type { JobLimits, Reservation } from '../limits/jobs.js';
import type { JobRequest, JobStarter } from './start.js';

/** A job to start, with an id from `newJobId`. */
export interface JobToStart {
  id: string;
  request: JobRequest;
}

/** Starts jobs within the limits of the caller. */
export interface LimitedStarter {
  /**
   * Queues all jobs, or none. A job that exists already or is a duplicate does not count.
   * @throws HeadwayError `quota-exceeded`
   */
  startAll(caller: LimitedCaller, jobs: JobToStart[]): Promise<Enqueued[]>;
  /** Queues as many jobs as the limits allow. @returns for each job what was queued, or `quota-exceeded` */
  startEach(caller: LimitedCaller, jobs: JobToStart[]): Promise<Array<Enqueued | HeadwayError>>;
}

export function createLimitedStarter(starter: JobStarter, limits: JobLimits): LimitedStarter {
  const reservationOf = (caller: LimitedCaller, jobs: JobToStart[]): Reservation => ({
    caller,
    owner: jobs[0]?.request.caller.id ?? '',
    jobs: jobs.map(({ id, request }) => ({ id, duplicateKey: starter.duplicateKey(id, request) })),
  });

  async function start(caller: LimitedCaller, job: JobToStart): Promise<Enqueued> {
    const enqueued = await starter.start(job.id, job.request);
    if (enqueued.id !== job.id) limits.release(reservationOf(caller, [job]));
    return enqueued;
  }

  return {
    async startAll(caller, jobs) {
      if (!caller.exempt) await limits.reserve(reservationOf(caller, jobs));
      return Promise.all(jobs.map((job) => start(caller, job)));
    },
    async startEach(caller, jobs) {
      const errors = caller.exempt ? [] : await limits.reserveEach(reservationOf(caller, jobs));
      return Promise.all(jobs.map((job, i) => errors[i] ?? start(caller, job)));
    },
  };
}
