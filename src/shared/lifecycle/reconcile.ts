import type { EndHint } from '../bullmq/bull-events.js';
import { latestEvents } from '../bullmq/bull-events.js';
import { isHeadwayProgress } from '../bullmq/foreign-progress.js';
import { createForeignReports, type ForeignProgress } from '../bullmq/foreign-reports.js';
import { idsInRow, parseEventId } from '../channel/frame.js';
import { channelKeys, jobChannel } from '../channel/keys.js';
import { type Guard, type Publisher, prepareEvent } from '../channel/publisher.js';
import { addressOf, requireAddress } from '../jobs/queues.js';
import type { RetentionTimes } from '../jobs/retention-times.js';
import type { Keyspace } from '../keyspace.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { serverNow } from '../redis/server-clock.js';
import { isRun, ServerReplacedError, serverRun } from '../redis/server-run.js';
import { ended, type Transition } from './events.js';
import {
  type KnownState,
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
  redis: RedisClient;
  keyspace: Keyspace;
  publisher: Publisher;
  readJob: SnapshotReader;
  /** Observers of every reconciliation, in order. Defaults to none. */
  observers?: readonly ReconcileObserver[];
  keep: RetentionTimes;
}

/**
 * How many times a job is compared when other processes publish for it at the same time. Each of those processes
 * compares the job too, so none of the missing events depends on the last try.
 */
const MAX_TRIES = 8;

/** Creates the reconciler of a process. It keeps no state: each reconciliation reads the job and its channel from Redis. */
export function createReconciler({
  redis,
  keyspace,
  publisher,
  readJob,
  observers = [],
  keep,
}: ReconcilerOptions): ObservableReconciler {
  const jobKey = (jobId: string): string => {
    const { queue, id } = requireAddress(jobId);
    return keyspace.queueKey(queue, id);
  };

  const foreignReports = createForeignReports({ redis, keyspace, publisher });
  const readPublished = createPublishedStateReader(redis, keyspace);
  const scripts = scriptsOf(redis, lifecycleScripts);

  /** Looks up how a removed job ended, in the newest events of its queue. */
  async function hintOf(jobId: string): Promise<EndHint | undefined> {
    const queue = addressOf(jobId)?.queue;
    return queue ? (await latestEvents(redis, keyspace, queue)).get(jobId)?.hint : undefined;
  }

  /** Reads the kind of a removed job from the first event on its channel. */
  async function publishedName(jobId: string): Promise<string | undefined> {
    const [, log] = channelKeys(keyspace, jobChannel(jobId));
    const [first] = await redis.xrange(log, '-', '+', 'COUNT', 1);
    const json = /"name":("(?:[^"\\]|\\.)*")/.exec(first?.[1][1] ?? '')?.[1];
    return json === undefined ? undefined : JSON.parse(json);
  }

  async function missingOf(
    jobId: string,
    published: PublishedState | undefined,
    job: JobSnapshot | undefined,
    hint: EndHint | undefined,
  ): Promise<Transition[]> {
    if (job) return transitions(published, job);
    // BullMQ has removed the job. Nothing is missing if its end was published, or nothing ever was.
    if (!published || published.end !== undefined) return [];
    return [ended(published, jobId, await publishedName(jobId), endOfRemoved(hint ?? (await hintOf(jobId))))];
  }

  /**
   * Publishes the start and the end of a job's first run in one call.
   * @returns what was published; `undefined` if the channel has published more than `before`
   */
  async function publishFirstRun(
    observers: readonly ReconcileObserver[],
    job: JobSnapshot,
    missing: Transition[],
    before: KnownState['published'],
    run: string,
  ): Promise<KnownState['published'] | undefined> {
    const end = missing.at(-1);
    if (!end) return undefined;
    for (const transition of missing) {
      for (const observer of observers) await observer.beforePublish?.(job.id, transition, job);
    }
    const published = await publisher.publishInRow(
      jobChannel(job.id),
      missing.map(({ event }) => prepareEvent(event)),
      {
        keepMs: keep.of(job.name, job.settings),
        fence: { ...end.fence, guard: unchanged('attempt', before.attempt), run },
      },
    );
    if (published.state !== 'taken') return undefined;
    for (const transition of missing) {
      for (const observer of observers) observer.afterPublish?.(transition, job);
    }
    return afterEvent(before, end, idsInRow(published.id, missing.length).at(-1) ?? '');
  }

  async function reconcile(
    observers: readonly ReconcileObserver[],
    jobId: string,
    hint?: EndHint,
    progress?: ForeignProgress,
    known?: KnownState,
    triesLeft = MAX_TRIES,
  ): Promise<Reconciled> {
    const retry = (reported?: ForeignProgress): Promise<Reconciled> =>
      reconcile(observers, jobId, hint, reported, undefined, triesLeft - 1);
    const run = serverRun(redis);
    const given = known?.run === run ? known.published : undefined;
    // The order matters, see `transitions`. One server keeps it: both commands are sent on one connection, in one turn.
    const first = given ?? readPublished(jobId);
    if (isCluster(redis)) await first;
    const [published, job] = await Promise.all([first, readJob(jobId, hint)]);
    if (!isRun(redis, run)) throw new ServerReplacedError();
    if (given && known?.assumed && !(job && isFirstRun(job))) return retry(progress);
    const missing = await missingOf(jobId, published, job, hint);
    if (given && known?.assumed && job && isFinished(job)) {
      const newest = await publishFirstRun(observers, job, missing, given, run);
      return newest ? { job, ...stateOf(newest, run) } : retry(progress);
    }
    // An event can have one guard only, and this one needs its own.
    if (given && missing[0]?.fence.guard) return retry(progress);
    // What the running attempt has reported through BullMQ comes before the event that ends the attempt.
    let running =
      published?.rank === RANK.active && published.end === undefined ? published.attempt : undefined;
    const reported = progress || missing.length > 0 ? newestProgress(job, progress) : undefined;
    const hasReports = reported !== undefined || (job?.foreignLines ?? 0) > (published?.lines ?? 0);
    // A job's channel is kept as long as the job.
    const keepMs = job ? keep.of(job.name, job.settings) : 0;
    let pausePublished = false;
    let rejected = false;
    let newest: KnownState['published'] | undefined;
    for (const transition of missing) {
      const { event, fence } = transition;
      if (hasReports && running !== undefined) await foreignReports.publish(jobId, running, reported);
      for (const observer of observers) await observer.beforePublish?.(jobId, transition, job);
      // Redis may have lost what is known to be published, without a new run.
      const guard =
        given && transition === missing[0]
          ? { guard: known?.assumed ? NEVER_HELD_UP : unchanged('attempt', given.attempt) }
          : {};
      const id = await publisher.publish(
        jobChannel(jobId),
        { ...event, keepMs },
        { ...fence, ...guard, run },
      );
      if (id !== undefined) for (const observer of observers) observer.afterPublish?.(transition, job);
      const ofQueue = event.event === 'queue';
      // Another process published a different time meanwhile. Compare again to find out which one is right.
      if (id === undefined && fence.guard && !ofQueue && triesLeft > 1) return retry(progress);
      if (id !== undefined && ofQueue) pausePublished = true;
      if (id === undefined) rejected = true;
      else if (fence.rank !== undefined) newest = afterEvent(published, transition, id);
      if (fence.rank !== undefined) running = fence.rank === RANK.active ? fence.attempt : undefined;
    }
    if (hasReports && running !== undefined) await foreignReports.publish(jobId, running, reported);
    // The end is published. A run that starts from now on must not be cancelled any more.
    if (job?.cancelAsked && job.finishedAt !== undefined)
      await scripts.markCancelPublished(jobKey(jobId), job.finishedAt);
    if (missing.length === 0 && !given) return { job, epoch: published?.epoch, end: published?.end };
    // Pauses are not ordered, so the script cannot reject an outdated one. Check again.
    if (pausePublished && triesLeft > 1) return retry();
    // The channel has all events up to this state of the job.
    if (!rejected && newest) return { job, ...stateOf(newest, run) };
    if (given && triesLeft > 1) return retry(progress);
    const now = await readPublished(jobId);
    // Another process published meanwhile and our event was rejected. Compare again to find out which one is right.
    const isUnfinished = job !== undefined && !isFinished(job);
    if (now && isUnfinished !== (now.end === undefined) && triesLeft > 1) return retry(progress);
    return { job, epoch: now?.epoch, end: now?.end };
  }

  return observable(([jobId, hint, progress, _signal, known], all) =>
    reconcile(all, jobId, hint, progress, known),
  ).with(...observers);
}

const stateOf = (published: KnownState['published'], run: string): Omit<Reconciled, 'job'> => ({
  epoch: published.epoch,
  end: published.end,
  known: { published, run },
});

/** Whether a job is in its first run or has completed with it, and nothing else has to be published of it than that. */
function isFirstRun(job: JobSnapshot): boolean {
  const { state, attempt, failures, stalls, cancelAsked } = job;
  if (attempt !== 1 || stalls > 0 || cancelAsked) return false;
  if (state === 'completed') return !job.foreignLines && newestProgress(job, undefined) === undefined;
  return state === 'active' && failures === 0;
}

/** The guard of an event that requires a field of the channel to have a value, and leaves it as it is. */
const unchanged = (field: Guard['field'], value: string | number): Guard => ({
  field,
  from: value,
  to: value,
});

/** The guard of an event that assumes that nothing was published to hold up the job. */
const NEVER_HELD_UP = unchanged('paused', '');

/** Returns what the channel has published after an event that Redis has accepted. */
function afterEvent(
  before: PublishedState | undefined,
  { event, fence }: Transition,
  id: string,
): KnownState['published'] {
  const { epoch, offset } = parseEventId(id) ?? { epoch: '', offset: 0 };
  const { attempt, rank = 0, failures = 0, stalls = 0, guard } = fence;
  const due = guard?.field === 'due' ? Number(guard.to) : before?.due;
  return {
    epoch,
    attempt,
    rank,
    failures,
    stalls,
    ...(due === undefined ? {} : { due }),
    end: event.end ? offset : undefined,
  };
}

/**
 * Returns the newest progress of a worker that knows only BullMQ. The job may have newer progress than the event that led
 * to this call. BullMQ keeps progress across attempts: it belongs to the current attempt if that is the first one, or if
 * the event says that this attempt has reported.
 */
function newestProgress(
  job: JobSnapshot | undefined,
  reported: ForeignProgress | undefined,
): ForeignProgress | undefined {
  if (job?.progress === undefined || isHeadwayProgress(job.progress, job.id)) return reported;
  if (job.attempt !== 1 && reported?.attempt !== job.attempt) return reported;
  return { value: job.progress, attempt: job.attempt, at: reported?.at ?? serverNow() };
}

function endOfRemoved(hint: EndHint | undefined): Parameters<typeof ended>[3] {
  if (hint?.event === 'completed') return { event: 'completed', data: { result: hint.result } };
  if (hint?.event === 'failed') return { event: 'failed', data: { error: { message: hint.reason } } };
  return { event: 'cancelled', data: { reason: 'removed' } };
}
