import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import type { EndHint } from '../bullmq/bull-events.js';
import { lastNews } from '../bullmq/bull-events.js';
import { isOurs } from '../bullmq/foreign-progress.js';
import { createPlainReports, type PlainProgress } from '../bullmq/foreign-reports.js';
import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { addressOf, queueKey } from '../jobs/queues.js';
import type { KeepTimes } from '../jobs/retention-times.js';
import { serverNow } from '../redis/server-clock.js';
import { isRun, ServerReplacedError, serverRun } from '../redis/server-run.js';
import { ended, type Transition } from './events.js';
import { createToldReader, RANK, type Told } from './published.js';
import { isFinished, type JobSnapshot, type SnapshotReader } from './snapshot.js';
import { transitions } from './transitions.js';

const lua = readFileSync(new URL('./scripts/cancel-told.lua', import.meta.url), 'utf8');

export interface LifecycleOptions {
  redis: Redis | Cluster;
  prefix: string;
  publisher: Publisher;
  readJob: SnapshotReader;
  queuePrefix: string;
  /**
   * Has to be done before something is told, so that no death of a process comes between. It may be called more than
   * once for the same.
   */
  beforeTelling: (jobId: string, transition: Transition, job: JobSnapshot | undefined) => Promise<void>;
  /** Hears of what was told, once for each, by whoever told it. */
  afterTelling?: (transition: Transition, job: JobSnapshot | undefined) => void;
  keep: KeepTimes;
}

/** What a job's channel and BullMQ say of a job, after the two have been made to agree. */
export interface Reconciled {
  job: JobSnapshot | undefined;
  /** The channel's epoch and the offset of its end, when it exists and has ended. */
  epoch: string | undefined;
  end: number | undefined;
}

/**
 * Keeps the channel of a job telling the truth about it. `reconcile` compares what the channel has told with
 * what BullMQ's keys say and publishes what is missing; it may be called at any time, by any process, any
 * number of times at once.
 */
export interface Lifecycle {
  /**
   * @param progress what a worker that knows nothing of us has reported; told unless its attempt is over
   * @param signal aborted when the answer is no longer wanted: a lifecycle that repeats itself stops doing so
   */
  reconcile(
    jobId: string,
    hint?: EndHint,
    progress?: PlainProgress,
    signal?: AbortSignal,
  ): Promise<Reconciled>;
}

/** A look that finds that others tell of the same job looks again, this often: whoever comes after it looks too. */
const MAX_LOOKS = 8;

export function createLifecycle({
  redis,
  prefix,
  publisher,
  readJob,
  queuePrefix,
  beforeTelling,
  afterTelling,
  keep,
}: LifecycleOptions): Lifecycle {
  const jobKey = (jobId: string): string => {
    const { queue, id } = addressOf(jobId)!;
    return queueKey(queuePrefix, queue, id);
  };

  const plainReports = createPlainReports({ redis, prefix, queuePrefix, publisher });
  const readTold = createToldReader(redis, prefix);
  if (!('cancelTold' in redis)) redis.defineCommand('cancelTold', { numberOfKeys: 1, lua });
  const scripts = redis as unknown as { cancelTold(key: string, finishedOn: number): Promise<void> };

  /** How a job ended that is gone, if BullMQ's events still say so. */
  async function hintOf(jobId: string): Promise<EndHint | undefined> {
    const queue = addressOf(jobId)?.queue;
    return queue ? (await lastNews(redis, queuePrefix, queue)).get(jobId)?.hint : undefined;
  }

  /** The name of a job that is gone, from what its channel told first. */
  async function nameTold(jobId: string): Promise<string | undefined> {
    const [, log] = channelKeys(prefix, jobChannel(jobId));
    const [first] = await redis.xrange(log, '-', '+', 'COUNT', 1);
    const json = /"name":("(?:[^"\\]|\\.)*")/.exec(first?.[1][1] ?? '')?.[1];
    return json === undefined ? undefined : JSON.parse(json);
  }

  /** What has to be told. */
  async function missingOf(
    jobId: string,
    told: Told | undefined,
    job: JobSnapshot | undefined,
    hint: EndHint | undefined,
  ): Promise<Transition[]> {
    if (job) return transitions(told, job);
    // It is gone. If its end was told, or nothing at all, there is nothing to say.
    if (!told || told.end !== undefined) return [];
    return [ended(told, jobId, await nameTold(jobId), endOfRemoved(hint ?? (await hintOf(jobId))))];
  }

  async function reconcile(
    jobId: string,
    hint?: EndHint,
    progress?: PlainProgress,
    looks = MAX_LOOKS,
  ): Promise<Reconciled> {
    const again = (reported?: PlainProgress): Promise<Reconciled> =>
      reconcile(jobId, hint, reported, looks - 1);
    const run = serverRun(redis);
    // In this order: see `transitions`.
    const told = await readTold(jobId);
    const job = await readJob(jobId, hint);
    if (!isRun(redis, run)) throw new ServerReplacedError();
    const missing = await missingOf(jobId, told, job, hint);
    // What the running attempt has said in BullMQ's own words belongs before what ends it.
    let running = told?.rank === RANK.active && told.end === undefined ? told.attempt : undefined;
    const reported = progress || missing.length > 0 ? newestProgress(job, progress) : undefined;
    // What is told of a job stays for as long as the job does.
    const keepMs = job ? keep.of(job.name, job.settings) : 0;
    let pauseTold = false;
    for (const transition of missing) {
      const { event, fence } = transition;
      if (running !== undefined) await plainReports.tell(jobId, running, reported);
      await beforeTelling(jobId, transition, job);
      const id = await publisher.publish(jobChannel(jobId), { ...event, keepMs }, { ...fence, run });
      if (id !== undefined) afterTelling?.(transition, job);
      const ofQueue = fence.mark?.field === 'paused';
      // Somebody else told of another time in between: which of the two holds?
      if (id === undefined && fence.mark && !ofQueue && looks > 1) return again(progress);
      if (id !== undefined && ofQueue) pauseTold = true;
      if (fence.rank !== undefined) running = fence.rank === RANK.active ? fence.attempt : undefined;
    }
    if (running !== undefined) await plainReports.tell(jobId, running, reported);
    // Its end is told, by us or before: from now on it may run again.
    if (job?.cancelAsked && isFinished(job)) await scripts.cancelTold(jobKey(jobId), job.finishedAt!);
    if (missing.length === 0) return { job, epoch: told?.epoch, end: told?.end };
    // Pausing has no order by which the script could know that another has looked later than we did.
    if (pauseTold && looks > 1) return again();
    const now = await readTold(jobId);
    // Somebody told something else meanwhile, and what we had to tell was kept out. Which of the two holds?
    const goesOn = job !== undefined && !isFinished(job);
    if (now && goesOn !== (now.end === undefined) && looks > 1) return again(progress);
    return { job, epoch: now?.epoch, end: now?.end };
  }

  return { reconcile: (jobId, hint, progress) => reconcile(jobId, hint, progress) };
}

/**
 * What a worker that knows nothing of us reported last: the job itself may know of something newer than who was told to
 * look. BullMQ keeps progress over attempts; it is of the present one if that is the first, or has reported anything.
 */
function newestProgress(
  job: JobSnapshot | undefined,
  told: PlainProgress | undefined,
): PlainProgress | undefined {
  if (job?.progress === undefined || isOurs(job.progress, job.id)) return told;
  if (job.attempt !== 1 && told?.attempt !== job.attempt) return told;
  return { value: job.progress, attempt: job.attempt, at: told?.at ?? serverNow() };
}

function endOfRemoved(hint: EndHint | undefined): Parameters<typeof ended>[3] {
  if (hint?.event === 'completed') return { event: 'completed', data: { result: hint.result } };
  if (hint?.event === 'failed') return { event: 'failed', data: { error: { message: hint.reason } } };
  return { event: 'cancelled', data: { reason: 'removed' } };
}
