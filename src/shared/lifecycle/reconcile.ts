import type { Cluster, Redis } from 'ioredis';
import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { addressOf, queueKey } from '../queues.js';
import { isOurs } from './plain-progress.js';
import { createPlainReports, type PlainProgress } from './plain-reports.js';
import type { JobSnapshot, SnapshotReader } from './snapshot.js';
import { ended, RANK, type Told, transitions } from './transitions.js';

export interface LifecycleOptions {
  redis: Redis | Cluster;
  prefix: string;
  publisher: Publisher;
  readJob: SnapshotReader;
  queuePrefix: string;
}

/** What a job's channel and BullMQ say of a job, after the two have been made to agree. */
export interface Reconciled {
  job: JobSnapshot | undefined;
  /** The channel's epoch and the offset of its end, when it exists and has ended. */
  epoch: string | undefined;
  end: number | undefined;
}

/** A message of BullMQ's that says how a job ended, for jobs that are removed at their end. */
export type EndHint =
  | { event: 'completed'; result: unknown }
  | { event: 'failed'; reason: string }
  | { event: 'removed' };

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
}: LifecycleOptions): Lifecycle {
  const jobKey = (jobId: string): string => {
    const { queue, id } = addressOf(jobId)!;
    return queueKey(queuePrefix, queue, id);
  };

  const plainReports = createPlainReports({ redis, prefix, queuePrefix, publisher });

  async function readTold(jobId: string): Promise<(Told & { epoch: string }) | undefined> {
    const [channel] = channelKeys(prefix, jobChannel(jobId));
    const [epoch, attempt, rank, failures, stalls, due, end] = await redis.hmget(
      channel,
      'epoch',
      'attempt',
      'rank',
      'failures',
      'stalls',
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
      ...(due ? { due: Number(due) } : {}),
      end: end ? Number(end) : undefined,
    };
  }

  return {
    async reconcile(jobId, hint, progress) {
      // In this order: see `transitions`.
      const told = await readTold(jobId);
      const job = await readJob(jobId);
      const missing = job
        ? transitions(told, job)
        : told && told.end === undefined
          ? [ended(told, jobId, endOfRemoved(hint))]
          : [];
      // What the running attempt has said in BullMQ's own words belongs before what ends it.
      let running = told?.rank === RANK.active && told.end === undefined ? told.attempt : undefined;
      const reported = progress || missing.length > 0 ? newestProgress(job, progress) : undefined;
      for (const { event, fence } of missing) {
        if (running !== undefined) await plainReports.tell(jobId, running, reported);
        const id = await publisher.publish(jobChannel(jobId), event, fence);
        // Somebody else told of another time in between: which of the two holds?
        if (id === undefined && fence.mark) return this.reconcile(jobId, hint, progress);
        running = fence.rank === RANK.active ? fence.attempt : undefined;
      }
      if (running !== undefined) await plainReports.tell(jobId, running, reported);
      if (missing.length === 0) return { job, epoch: told?.epoch, end: told?.end };
      // From now on it may run again: the request has been met.
      if (job?.state === 'cancelled') await redis.hset(jobKey(jobId), 'hw:cancel', 'told');
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

function endOfRemoved(hint: EndHint | undefined): Parameters<typeof ended>[2] {
  if (hint?.event === 'completed') return { event: 'completed', data: { result: hint.result } };
  if (hint?.event === 'failed') return { event: 'failed', data: { error: { message: hint.reason } } };
  return { event: 'cancelled', data: { reason: 'removed' } };
}
