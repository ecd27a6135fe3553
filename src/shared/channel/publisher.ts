import type { Cluster, Redis } from 'ioredis';
import { type FrameInput, frameBody } from './frame.js';
import type { Gather } from './gather.js';
import { channelKeys, checkChannelName } from './keys.js';
import { newEpoch, withScripts } from './scripts.js';

/** An event to publish to a channel. */
export interface ChannelEvent extends FrameInput {
  /** `log` (default): each one matters and is kept in order. `state`: only the newest of its key matters. */
  kind?: 'log' | 'state';
  /** The slot of a state event. Default: the event's name. */
  key?: string;
  /** The channel is kept at least this long from now on, in ms. */
  keepMs?: number;
}

/**
 * Keeps an event out that comes too late: of an attempt that is over, or a lifecycle event that was published
 * already. Positions are (attempt, rank) and only go up; see `src/shared/lifecycle`.
 */
export interface Fence {
  attempt: number;
  /** For a lifecycle event, its place within the attempt. Without: an event of a running attempt. */
  rank?: number;
  /** With `rank`: how many attempts of the job had failed and how often it had stalled by then. */
  failures?: number;
  stalls?: number;
  /** With `rank`: the offset of the channel's end that this event takes back (a finished job runs again). */
  reopens?: number;
  /** Without `rank`: the event says whether the job's queue is paused; it is kept out when that was told already. */
  paused?: boolean;
  /** Keeps the event out unless the channel's mark is still what the publisher knows; then it becomes `to`. */
  mark?: Mark;
}

/** How far was told of something that has no place of its own in an attempt; `from` is empty when nothing was. */
export interface Mark {
  field: 'due' | 'percent' | 'lines' | 'paused';
  from: string | number;
  to: string | number;
}

export interface PublisherOptions {
  redis: Redis | Cluster;
  prefix: string;
  /** About how many events a channel's log keeps. */
  logLength: number;
  /** A channel is forgotten this long after its last event, in ms. */
  ttlMs: number;
  /** For channels that end: how long they are kept, after an event that is not the end, in ms. Default: `ttlMs`. */
  unfinishedTtlMs?: number;
  /** Whether the server has sharded Pub/Sub (Redis 7). */
  sharded: boolean;
  /** What makes calls to Redis in groups. Default: each at once. */
  gather?: Gather;
}

/** Publishes to channels. */
export interface Publisher {
  /**
   * Publishes an event: one script, one round trip.
   * @returns the event's id, or `undefined` when the fence kept it out
   * @throws TypeError for a name or an event that no channel can carry
   */
  publish(channel: string, event: ChannelEvent, fence?: Fence): Promise<string | undefined>;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { redis, prefix, logLength, ttlMs, unfinishedTtlMs = ttlMs, sharded } = options;
  const { gather = (call) => call() } = options;
  const scripts = withScripts(redis);
  const command = sharded ? 'SPUBLISH' : 'PUBLISH';
  return {
    async publish(channel, event, fence) {
      const slot = event.kind === 'state' ? (event.key ?? event.event ?? 'message') : '';
      const keys = channelKeys(prefix, checkChannelName(channel));
      const frame = frameBody(event);
      const end = event.end ? '1' : '';
      const ttl = Math.max(event.end ? ttlMs : unfinishedTtlMs, event.keepMs ?? 0);
      const args = [command, newEpoch(), slot, frame, logLength, ttl, end, ...fenceArguments(fence)];
      const id = await new Promise<string | null>((resolve, reject) => {
        gather(() => scripts.channelPublish(...keys, ...args).then(resolve, reject));
      });
      return id ?? undefined;
    },
  };
}

/** As short as they can be: most events are of a running attempt. */
function fenceArguments(fence: Fence | undefined): Array<string | number> {
  if (!fence) return [];
  const { attempt, rank, failures = 0, stalls = 0, reopens = '' } = fence;
  const mark = fence.paused === undefined ? fence.mark : pausedMark(fence.paused);
  const place = rank === undefined ? ['', '', '', ''] : [rank, failures, stalls, reopens];
  if (mark) return [attempt, ...place, mark.field, mark.from, mark.to];
  return rank === undefined ? [attempt] : [attempt, ...place];
}

const pausedMark = (paused: boolean): Mark =>
  paused ? { field: 'paused', from: '', to: '1' } : { field: 'paused', from: '1', to: '' };
