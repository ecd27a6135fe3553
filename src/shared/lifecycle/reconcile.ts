import type { Cluster, Redis } from 'ioredis';
import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import type { KeepTimes } from '../job-index/keep-times.js';
import { addressOf, queueKey } from '../queues.js';
import { lastNews } from './bull-events.js';
import { isOurs } from './plain-progress.js';
import { createPlainReports, type PlainProgress } from './plain-reports.js';
import { type EndHint, isFinished, type JobSnapshot, type SnapshotReader } from './snapshot.js';
import { ended, RANK, type Told, type Transition, transitions } from './transitions.js';

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
  /** @param progress what a worker that knows nothing of us has reported; told unless its attempt is over */
  reconcile(jobId: string, hint?: EndHint, progress?: PlainProgress): Promise<Reconciled>;
}

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

  async function readTold(jobId: string): Promise<(Told & { epoch: string }) | undefined> {
    const [channel] = channelKeys(prefix, jobChannel(jobId));
    const [epoch, attempt, rank, failures, stalls, paused, due, end] = await redis.hmget(
      channel,
      'epoch',
      'attempt',
      'rank',
      'failures',
      'stalls',
      'paused',
      'due',
      'end',
    );
    if (!epoch) return undefined;
    return {
      epoch,
      attempt: Number(attempt ?? 0),
      rank: Number(rank ?? -1),
      failures: Number(failures ?? 0),
      stalls: Number(stalls ?? 0),
      paused: paused === '1',
      ...(due ? { due: Number(due) } : {}),
      end: end ? Number(end) : undefined,
    };
  }

  /** How a job ended that is gone, if BullMQ's events still say so. */
  async function hintOf(jobId: string): Promise<EndHint | undefined> {
    const queue = addressOf(jobId)?.queue;
    return queue ? (await lastNews(redis, queuePrefix, queue)).get(jobId)?.hint : undefined;
  }

  /** The name of a job that is gone, from what its channel told first. */
  async function nameTold(jobId: string): Promise<string | undefined> {
    const [, log] = channelKeys(prefix, jobChannel(jobId));
    const [first] = await redis.xrange(log, '-', '+', 'COUNT', 1);
    return /"name":"([a-z0-9-]+)"/.exec(first?.[1][1] ?? '')?.[1];
  }

  return {
    async reconcile(jobId, hint, progress) {
      // In this order: see `transitions`.
      const told = await readTold(jobId);
      const job = await readJob(jobId, hint);
      const missing = job
        ? transitions(told, job)
        : told && told.end === undefined
          ? [ended(told, jobId, await nameTold(jobId), endOfRemoved(hint ?? (await hintOf(jobId))))]
          : [];
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
        const id = await publisher.publish(jobChannel(jobId), { ...event, keepMs }, fence);
        if (id !== undefined) afterTelling?.(transition, job);
        // Somebody else told of another time in between: which of the two holds?
        if (id === undefined && fence.mark) return this.reconcile(jobId, hint, progress);
        if (id !== undefined && fence.paused !== undefined) pauseTold = true;
        if (fence.rank !== undefined) running = fence.rank === RANK.active ? fence.attempt : undefined;
      }
      if (running !== undefined) await plainReports.tell(jobId, running, reported);
      if (missing.length === 0) return { job, epoch: told?.epoch, end: told?.end };
      // Pausing has no order by which the script could know that another has looked later than we did.
      if (pauseTold) return this.reconcile(jobId, hint);
      // From now on it may run again: the request has been met, or came too late.
      if (job?.cancelAsked && isFinished(job)) await redis.hset(jobKey(jobId), 'hw:cancel', 'told');
      const now = await readTold(jobId);
      return { job, epoch: now?.epoch, end: now?.end };
    },
  };
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
  return { value: job.progress, attempt: job.attempt, at: told?.at ?? Date.now() };
}

function endOfRemoved(hint: EndHint | undefined): Parameters<typeof ended>[3] {
  if (hint?.event === 'completed') return { event: 'completed', data: { result: hint.result } };
  if (hint?.event === 'failed') return { event: 'failed', data: { error: { message: hint.reason } } };
  return { event: 'cancelled', data: { reason: 'removed' } };
}
