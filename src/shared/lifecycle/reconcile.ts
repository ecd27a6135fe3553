import type { Cluster, Redis } from 'ioredis';
import type { EndHint } from '../bullmq/bull-events.js';
import { latestEvents } from '../bullmq/bull-events.js';
import { isHeadwayProgress } from '../bullmq/foreign-progress.js';
import { createForeignReports, type ForeignProgress } from '../bullmq/foreign-reports.js';
import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { addressOf, queueKey } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { isRun, ServerReplacedError, serverRun } from '../redis/server-run.js';
import { ended, type Transition } from './events.js';
import {
  type ObservableReconciler,
  observable,
  type Reconciled,
  type ReconcileObserver,
} from './observers.js';
import { createPublishedStateReader, type PublishedState, RANK } from './published.js';
import { lifecycleScripts } from './scripts.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from './snapshot.js';
import { transitions } from './transitions.js';

export type { Reconciled, Reconciler } from './observers.js';

export interface ReconcilerOptions {
  redis: Redis | Cluster;
  prefix: string;
  publisher: Publisher;
  readJob: SnapshotReader;
  queuePrefix: string;
  /** Observers of every reconciliation, in order. Defaults to none. */
  observers?: readonly ReconcileObserver[];
  keep: RetentionTimes;
}

/**
 * How many times a job is compared when other processes publish for it at the same time. Each of those processes
 * compares the job too, so none of the missing events depends on the last try.
 */
const MAX_TRIES = 8;

/** Creates the reconciler of a process. It reads the states of a job from Redis each time and keeps none itself. */

export function createReconciler({
  redis,
  prefix,
  publisher,
  readJob,
  queuePrefix,
  observers = [],
  keep,
}: ReconcilerOptions): ObservableReconciler {
  const jobKey = (jobId: string): string => {
    const { queue, id } = addressOf(jobId)!;
    return queueKey(queuePrefix, queue, id);
  };

  const foreignReports = createForeignReports({ redis, prefix, queuePrefix, publisher });
  const readPublished = createPublishedStateReader(redis, prefix);
  const scripts = scriptsOf(redis, lifecycleScripts);

  /** How a job ended that is gone, if BullMQ's events still say so. */
  async function hintOf(jobId: string): Promise<EndHint | undefined> {
    const queue = addressOf(jobId)?.queue;
    return queue ? (await latestEvents(redis, queuePrefix, queue)).get(jobId)?.hint : undefined;
  }

  /** The name of a job that is gone, from what its channel told first. */
  async function publishedName(jobId: string): Promise<string | undefined> {
    const [, log] = channelKeys(prefix, jobChannel(jobId));
    const [first] = await redis.xrange(log, '-', '+', 'COUNT', 1);
    const json = /"name":("(?:[^"\\]|\\.)*")/.exec(first?.[1][1] ?? '')?.[1];
    return json === undefined ? undefined : JSON.parse(json);
  }

  /** What has to be told. */
  async function missingOf(
    jobId: string,
    published: PublishedState | undefined,
    job: JobSnapshot | undefined,
    hint: EndHint | undefined,
  ): Promise<Transition[]> {
    if (job) return transitions(published, job);
    // It is gone. If its end was told, or nothing at all, there is nothing to say.
    if (!published || published.end !== undefined) return [];
    return [ended(published, jobId, await publishedName(jobId), endOfRemoved(hint ?? (await hintOf(jobId))))];
  }

  async function reconcile(
    observers: readonly ReconcileObserver[],
    jobId: string,
    hint?: EndHint,
    progress?: ForeignProgress,
    triesLeft = MAX_TRIES,
  ): Promise<Reconciled> {
    const retry = (reported?: ForeignProgress): Promise<Reconciled> =>
      reconcile(observers, jobId, hint, reported, triesLeft - 1);
    const run = serverRun(redis);
    // In this order: see `transitions`.
    const published = await readPublished(jobId);
    const job = await readJob(jobId, hint);
    if (!isRun(redis, run)) throw new ServerReplacedError();
    const missing = await missingOf(jobId, published, job, hint);
    // What the running attempt has said in BullMQ's own words belongs before what ends it.
    let running =
      published?.rank === RANK.active && published.end === undefined ? published.attempt : undefined;
    const reported = progress || missing.length > 0 ? newestProgress(job, progress) : undefined;
    // What is told of a job stays for as long as the job does.
    const keepMs = job ? keep.of(job.name, job.settings) : 0;
    let pausePublished = false;
    for (const transition of missing) {
      const { event, fence } = transition;
      if (running !== undefined) await foreignReports.publish(jobId, running, reported);
      for (const observer of observers) await observer.beforePublish?.(jobId, transition, job);
      const id = await publisher.publish(jobChannel(jobId), { ...event, keepMs }, { ...fence, run });
      if (id !== undefined) for (const observer of observers) observer.afterPublish?.(transition, job);
      const ofQueue = fence.guard?.field === 'paused';
      // Another process published a different time meanwhile. Compare again to find out which one is right.
      if (id === undefined && fence.guard && !ofQueue && triesLeft > 1) return retry(progress);
      if (id !== undefined && ofQueue) pausePublished = true;
      if (fence.rank !== undefined) running = fence.rank === RANK.active ? fence.attempt : undefined;
    }
    if (running !== undefined) await foreignReports.publish(jobId, running, reported);
    // Its end is told, by us or before: from now on it may run again.
    if (job?.cancelAsked && isFinished(job))
      await scripts.markCancelPublished(jobKey(jobId), job.finishedAt!);
    if (missing.length === 0) return { job, epoch: published?.epoch, end: published?.end };
    // Pausing has no order by which the script could know that another has looked later than we did.
    if (pausePublished && triesLeft > 1) return retry();
    const now = await readPublished(jobId);
    // Somebody told something else meanwhile, and what we had to tell was kept out. Which of the two holds?
    const goesOn = job !== undefined && !isFinished(job);
    if (now && goesOn !== (now.end === undefined) && triesLeft > 1) return retry(progress);
    return { job, epoch: now?.epoch, end: now?.end };
  }

  return observable(([jobId, hint, progress], all) => reconcile(all, jobId, hint, progress)).with(
    ...observers,
  );
}

/**
 * What a worker that knows nothing of us reported last: the job itself may know of something newer than who was told to
 * look. BullMQ keeps progress over attempts; it is of the present one if that is the first, or has reported anything.
 */
function newestProgress(
  job: JobSnapshot | undefined,
  published: ForeignProgress | undefined,
): ForeignProgress | undefined {
  if (job?.progress === undefined || isHeadwayProgress(job.progress, job.id)) return published;
  if (job.attempt !== 1 && published?.attempt !== job.attempt) return published;
  return { value: job.progress, attempt: job.attempt, at: published?.at ?? serverNow() };
}

function endOfRemoved(hint: EndHint | undefined): Parameters<typeof ended>[3] {
  if (hint?.event === 'completed') return { event: 'completed', data: { result: hint.result } };
  if (hint?.event === 'failed') return { event: 'failed', data: { error: { message: hint.reason } } };
  return { event: 'cancelled', data: { reason: 'removed' } };
}
