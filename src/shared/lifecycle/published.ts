import type { Cluster, Redis } from 'ioredis';
import { channelKeys, jobChannel } from '../channel/keys.js';

/**
 * The place of a lifecycle event within its attempt. Together with the attempt it is the event's identity:
 * positions only go up, so an event that two processes find missing is published once. A job may be put back and
 * end again without an attempt between: then it is `ended` 8, `reopened` 9, ended 10, reopened 11 and so on.
 */
export const RANK = {
  active: 0,
  delayed: 1,
  waiting: 2,
  stalled: 3,
  retrying: 4,
  waitingAgain: 5,
  ended: 8,
  reopened: 9,
};

/** How far the lifecycle of a job has been told on its channel. */
export interface PublishedState {
  attempt: number;
  rank: number;
  failures: number;
  stalls: number;
  /** Whether the queue was told to be paused. */
  paused?: boolean;
  /** Whether it was told that no worker serves the queue. */
  noWorker?: boolean;
  /** Whether it was told that the job was asked to stop. */
  cancelling?: boolean;
  /** When the job was told to be due, the last time that it was told to be delayed. */
  due?: number;
  /** Offset of the terminal event, when the last thing told is the end. */
  end: number | undefined;
}

/** What a job waits for, in its queue or for its end. */
export interface QueueFacts {
  paused: boolean;
  noWorker: boolean;
  /** It was asked to stop. */
  cancelling: boolean;
}

/** What a job waits for, as the channel remembers it: the sum of 1 (paused), 2 (no worker) and 4 (asked to stop). */
export const queueGuard = ({ paused, noWorker, cancelling }: QueueFacts): string =>
  String((paused ? 1 : 0) + (noWorker ? 2 : 0) + (cancelling ? 4 : 0)).replace('0', '');

/** The opposite of {@link queueGuard}. */
export function readQueueGuard(mark: string | null | undefined): QueueFacts {
  const sum = Number(mark ?? 0);
  return { paused: (sum & 1) > 0, noWorker: (sum & 2) > 0, cancelling: (sum & 4) > 0 };
}

/** Whether the last end was taken back, and no run has begun since. */
export const isReopened = (published: PublishedState | undefined): boolean =>
  published !== undefined && published.end === undefined && published.rank >= RANK.reopened;

/** The rank of an end: beyond the reopening, when it was reopened and has not run since. */
export const endRank = (published: PublishedState | undefined, attempt: number): number =>
  isReopened(published) && published!.attempt === attempt ? published!.rank + 1 : RANK.ended;

/** Reads what a job's channel has told; `undefined` where there is no channel. */
export type PublishedStateReader = (
  jobId: string,
) => Promise<(PublishedState & { epoch: string }) | undefined>;

export function createPublishedStateReader(redis: Redis | Cluster, prefix: string): PublishedStateReader {
  return async (jobId) => {
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
      ...readQueueGuard(paused),
      ...(due ? { due: Number(due) } : {}),
      end: end ? Number(end) : undefined,
    };
  };
}
