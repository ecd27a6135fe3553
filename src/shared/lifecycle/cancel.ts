import { Job, UnrecoverableError } from 'bullmq';
import { makeNextRun } from '../bullmq/next-run.js';
import { addressOf, type OpenQueue } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import { controlChannel } from '../redis/broadcast.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import type { ReconcileObserver, Reconciler } from './observers.js';
import { type CancelReply, lifecycleScripts } from './scripts.js';
import { CANCELLED_REASON, type JobSnapshot } from './snapshot.js';

/** Ends jobs early: cancels them, or fails those that did not start in time. */
export interface Canceller {
  /**
   * Cancels a job. A waiting job ends at once; for a running job, its worker is asked to stop it. Idempotent.
   * @returns the job as it is afterwards; `undefined` when there is no such job
   */
  cancel(jobId: string): Promise<JobSnapshot | undefined>;
  /** Fails a job that has never started, with the code `expired`. Does nothing otherwise. */
  expire(jobId: string): Promise<void>;
}

export interface CancellerOptions {
  redis: RedisClient;
  openQueue: OpenQueue;
  keyspace: Keyspace;
  reconciler: Reconciler;
}

/** The lists in which BullMQ keeps waiting jobs. */
const LISTS = ['wait', 'paused'] as const;
interface Position {
  list: (typeof LISTS)[number];
  /** From 0. Jobs that are added or removed meanwhile shift it. */
  index: number;
}

const EXPIRED_REASON = 'not started in time';
/** The number of list entries in a search step. Steps overlap, because jobs are removed from the list meanwhile. */
const CHUNK = 5000;
const OVERLAP = 500;
/** Maximum number of repeated searches for a job that has moved away from the position where it was found. */
const MAX_SEARCHES = 5;

export function createCanceller({ redis, openQueue, keyspace, reconciler }: CancellerOptions): Canceller {
  const scripts = scriptsOf(redis, lifecycleScripts);
  const sets = ['active', 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children', ...LISTS];

  /** Finds a waiting job in steps, so that no single call blocks Redis for long. */
  async function findWaiting(key: (suffix: string) => string, id: string): Promise<Position | undefined> {
    for (const list of LISTS) {
      for (let from = 0; ; from += CHUNK - OVERLAP) {
        const ids = await redis.lrange(key(list), from, from + CHUNK - 1);
        const at = ids.indexOf(id);
        if (at >= 0) return { list, index: from + at };
        if (ids.length < CHUNK) break;
      }
    }
    return undefined;
  }

  async function withdraw(jobId: string, how: 'cancel' | 'expire', reason: string): Promise<void> {
    const address = addressOf(jobId);
    if (!address) return;
    const key = (suffix: string): string => keyspace.queueKey(address.queue, suffix);
    const call = (list = '', index = ''): Promise<CancelReply> =>
      scripts.cancelJob(
        key(address.id),
        ...sets.map(key),
        address.id,
        how,
        reason,
        controlChannel(keyspace, redis),
        jobId,
        list,
        index,
        isCluster(redis) ? 'SPUBLISH' : 'PUBLISH',
      );
    let answer = await call();
    for (let searches = 1; answer === 'far'; searches++) {
      const found = await findWaiting(key, address.id);
      if (found && searches > MAX_SEARCHES) throw new Error(`could not remove job ${jobId} from its queue`);
      // One search can miss the job while many others leave the list, so only the second one counts as 'none'.
      answer = found ? await call(found.list, String(found.index)) : await call(searches > 1 ? 'none' : '');
    }
    if (answer !== 'taken') return;
    const queue = openQueue(address.queue);
    const job = await Job.fromId(queue, address.id);
    // The worker that takes a scheduled run creates the next run, but no worker takes this one. Create it before the job
    // fails: if this process dies in between, the worker that finds the job stalled creates it.
    if (job) await makeNextRun(queue, job);
    // "0" is BullMQ's token for callers that need no lock.
    await job?.moveToFailed(new UnrecoverableError(reason), '0', false).catch((error: unknown) => {
      if (!isNoLongerActive(error)) throw error;
    });
  }

  return {
    async cancel(jobId) {
      await withdraw(jobId, 'cancel', CANCELLED_REASON);
      return (await reconciler.reconcile(jobId)).job;
    },
    async expire(jobId) {
      await withdraw(jobId, 'expire', EXPIRED_REASON);
      await reconciler.reconcile(jobId);
    },
  };
}

const WAITING: readonly JobState[] = ['waiting', 'prioritized', 'delayed'];

/**
 * Cancels a job that waits again although it was asked to stop while it ran: its worker died before it could stop the
 * job, or knows only BullMQ and its attempt failed. Without this, another worker would have to take the job first.
 */
export const cancelObserver = (canceller: Canceller): ReconcileObserver => ({
  async afterReconcile(job) {
    if (job.cancelAsked && WAITING.includes(job.state)) await canceller.cancel(job.id);
  },
});

/** Whether another process has failed or removed the job meanwhile. */
const isNoLongerActive = (error: unknown): boolean =>
  /is not in the active state|Missing key/.test((error as Error).message);
