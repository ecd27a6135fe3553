import { Job, UnrecoverableError } from 'bullmq';
import type { Cluster, Redis } from 'ioredis';
import { makeNextRun } from '../bullmq/next-run.js';
import { addressOf, type OpenQueue, queueKey } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import { controlChannel } from '../redis/broadcast.js';
import { scriptsOf } from '../redis/scripts.js';
import type { ReconcileObserver, Reconciler } from './observers.js';
import { type CancelReply, lifecycleScripts } from './scripts.js';
import { CANCELLED_REASON, type JobSnapshot } from './snapshot.js';

/** Withdraws jobs: cancels them, or lets those expire that were not begun in time. */
export interface Canceller {
  /**
   * Cancels a job: one that waits ends at once, one that runs is told to its worker. Doing it twice changes nothing.
   * @returns the job as it is now; `undefined` when there is none
   */
  cancel(jobId: string): Promise<JobSnapshot | undefined>;
  /** Fails a job that has not been begun, with the code `expired`. Does nothing to any other. */
  expire(jobId: string): Promise<void>;
}

export interface CancellerOptions {
  redis: Redis | Cluster;
  openQueue: OpenQueue;
  queuePrefix: string;
  reconciler: Reconciler;
  prefix: string;
}

/** The lists in which BullMQ keeps the jobs that wait. */
const LISTS = ['wait', 'paused'] as const;
interface Place {
  list: (typeof LISTS)[number];
  /** From 0; jobs that come or go meanwhile move it. */
  place: number;
}

const EXPIRED_REASON = 'not started in time';
/** A list is searched so many entries at a time, each part with some of the part before: jobs go meanwhile. */
const PART = 5000;
const OVERLAP = 500;
/** A job that was found, but was not close to that place any more, is looked for again, this often. */
const SEARCHES = 5;

export function createCanceller({
  redis,
  openQueue,
  queuePrefix,
  reconciler,
  prefix,
}: CancellerOptions): Canceller {
  const scripts = scriptsOf(redis, lifecycleScripts);
  const sets = ['active', 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children', ...LISTS];

  /** Looks for a job that waits, without a call that keeps Redis from others. */
  async function find(key: (suffix: string) => string, id: string): Promise<Place | undefined> {
    for (const list of LISTS) {
      for (let from = 0; ; from += PART - OVERLAP) {
        const ids = await redis.lrange(key(list), from, from + PART - 1);
        const at = ids.indexOf(id);
        if (at >= 0) return { list, place: from + at };
        if (ids.length < PART) break;
      }
    }
    return undefined;
  }

  async function end(jobId: string, how: 'cancel' | 'expire', reason: string): Promise<void> {
    const address = addressOf(jobId);
    if (!address) return;
    const key = (suffix: string): string => queueKey(queuePrefix, address.queue, suffix);
    const call = (list = '', place = ''): Promise<CancelReply> =>
      scripts.cancelJob(
        key(address.id),
        ...sets.map(key),
        address.id,
        how,
        reason,
        controlChannel(prefix),
        jobId,
        list,
        place,
      );
    let answer = await call();
    for (let searches = 1; answer === 'far'; searches++) {
      const found = await find(key, address.id);
      if (found && searches > SEARCHES)
        throw new Error(`the job ${jobId} could not be taken out of its queue`);
      // It may have been missed once, where many others went.
      answer = found ? await call(found.list, String(found.place)) : await call(searches > 1 ? 'none' : '');
    }
    if (answer !== 'taken') return;
    const queue = openQueue(address.queue);
    const job = await Job.fromId(queue, address.id);
    // A run of a schedule makes the next one when a worker takes it, which no worker does now. Before its end: whoever
    // dies in between leaves it to the worker that finds it stalled.
    if (job?.repeatJobKey) await makeNextRun(queue, job);
    // "0" is BullMQ's token of somebody who needs no lock.
    await job?.moveToFailed(new UnrecoverableError(reason), '0', false).catch((error: unknown) => {
      if (!isGone(error)) throw error;
    });
  }

  return {
    async cancel(jobId) {
      await end(jobId, 'cancel', CANCELLED_REASON);
      return (await reconciler.reconcile(jobId)).job;
    },
    async expire(jobId) {
      await end(jobId, 'expire', EXPIRED_REASON);
      await reconciler.reconcile(jobId);
    },
  };
}

const WAITING: readonly JobState[] = ['waiting', 'prioritized', 'delayed'];

/**
 * Cancels a job that waits again although it was asked to stop while it ran: its worker died before it could stop the
 * job, or knows only BullMQ and failed. Without this, the job would first have to be given to another worker.
 */
export const cancelObserver = (canceller: Canceller): ReconcileObserver => ({
  async afterReconcile(job) {
    if (job.cancelAsked && WAITING.includes(job.state)) await canceller.cancel(job.id);
  },
});

/** Somebody else has failed it in the meantime. */
const isGone = (error: unknown): boolean =>
  /is not in the active state|Missing key/.test((error as Error).message);
