import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';

/**
 * The rank of a lifecycle event within its attempt. Attempt and rank identify the event and only increase, so an event
 * that two processes find missing is published once. A job may be retried and end again without an attempt in between:
 * its ranks are then `ended` 8, `reopened` 9, ended 10, reopened 11 and so on.
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

/** The newest state of a job that its channel has published. */
export interface PublishedState {
  attempt: number;
  rank: number;
  failures: number;
  stalls: number;
  /** Whether the queue was published as paused. */
  paused?: boolean;
  /** Whether the queue was published as having no worker. */
  noWorker?: boolean;
  /** Whether a request to cancel the job was published. */
  cancelling?: boolean;
  /** What was published of the job's position in its queue; see `src/api/queue-positions`. 0 for nothing. */
  place?: number;
  /** The due time in the newest published `delayed` or `retrying` event, ms since 1970. */
  due?: number;
  /** How many lines of BullMQ's log of the job were published, for a worker that knows only BullMQ. */
  lines?: number;
  /** The offset of the terminal event, if that is the newest lifecycle event. */
  end: number | undefined;
}

/** What holds up a job in its queue, and whether it is being cancelled. */
export interface QueueFacts {
  paused: boolean;
  noWorker: boolean;
  /** The job was asked to stop. */
  cancelling: boolean;
  /** See {@link PublishedState.place}. With one of the others, it is 0: the position means nothing then. */
  place?: number;
}

/**
 * Returns the facts as the channel stores them: the sum of 1 (paused), 2 (no worker), 4 (cancelling) and 8 times `place`, or
 * "" for 0. Earlier releases read the first three.
 */
export function queueGuard({ paused, noWorker, cancelling, place = 0 }: QueueFacts): string {
  const sum = (paused ? 1 : 0) + (noWorker ? 2 : 0) + (cancelling ? 4 : 0) + 8 * place;
  return sum === 0 ? '' : String(sum);
}

/** Parses the result of {@link queueGuard}. */
export function readQueueGuard(guard: string | null | undefined): QueueFacts {
  const sum = Number(guard ?? 0);
  return {
    paused: (sum & 1) > 0,
    noWorker: (sum & 2) > 0,
    cancelling: (sum & 4) > 0,
    place: Math.floor(sum / 8),
  };
}

/** Whether the newest end was withdrawn and no run has started since. */
export const isReopened = (published: PublishedState | undefined): boolean =>
  published !== undefined && published.end === undefined && published.rank >= RANK.reopened;

/**
 * Returns the rank of the event that ends an attempt. If the job was reopened and has not run since, it is the next rank
 * after the reopening; otherwise `RANK.ended`.
 */
export const endRank = (published: PublishedState | undefined, attempt: number): number =>
  published && isReopened(published) && published.attempt === attempt ? published.rank + 1 : RANK.ended;

/** Reads the newest published state of a job; `undefined` when the job has no channel. */
export type PublishedStateReader = (
  jobId: string,
) => Promise<(PublishedState & { epoch: string }) | undefined>;

export function createPublishedStateReader(redis: RedisClient, keyspace: Keyspace): PublishedStateReader {
  return async (jobId) => {
    const [channel] = channelKeys(keyspace, jobChannel(jobId));
    const [epoch, attempt, rank, failures, stalls, paused, due, lines, end] = await redis.hmget(
      channel,
      'epoch',
      'attempt',
      'rank',
      'failures',
      'stalls',
      'paused',
      'due',
      'lines',
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
      ...(lines ? { lines: Number(lines) } : {}),
      end: end ? Number(end) : undefined,
    };
  };
}
