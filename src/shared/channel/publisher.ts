import type { Cluster, Redis } from 'ioredis';
import { scriptsOf } from '../redis/scripts.js';
import { isRun, ServerReplacedError, serverRun } from '../redis/server-run.js';
import type { Batch } from './batch.js';
import { type FrameInput, frameBody } from './frame.js';
import { channelKeys, checkChannelName } from './keys.js';
import { channelScripts, newEpoch, type PublishReply } from './scripts.js';

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
  /** Keeps the event out unless the channel's mark is still what the publisher knows; then it becomes `to`. */
  guard?: Guard;
  /** With `rank` and `mark`: the event may stand at a rank that was published already, since its mark has moved. */
  again?: boolean;
  /** The run of the server that was read before it was decided to publish: on another one the reading may not hold. */
  run?: string;
}

/** How far was published of something that has no place of its own in an attempt; `from` is empty when nothing was. */
export interface Guard {
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
  batch?: Batch;
}

/** What one call publishes at most: Redis does nothing else meanwhile. */
export const ROW_EVENTS = 256;
export const ROW_CHARACTERS = 256 * 1024;

/** An event in the form in which it is sent to Redis. */
export interface PreparedEvent {
  /** The key of a state event; empty for a log event. */
  slot: string;
  /** The frame without its place in the channel. */
  body: string;
  end: boolean;
}

/** What makes each event of a source one that is taken once, however often it is sent. */
export interface Numbering {
  /** 1 to 64 visible ASCII characters. Another source begins at 1. */
  source: string;
  /** The number of the first event of the call. */
  first: number;
  /** Whether the events before that are known to be lost: then the channel goes on without them. */
  skip?: boolean;
  /** Remembers the ids of what was published under this Redis key, in the slot of the channel, for `ttlMs`. */
  record?: { key: string; ttlMs: number };
}

export interface NumberedOptions {
  numbering?: Numbering | undefined;
  fence?: Fence | undefined;
}

/** What became of events in a row. */
export type Numbered =
  /** All of them are on the channel; `id` is that of the first that was not before, or empty. */
  | { state: 'taken'; id: string }
  /** Nothing was published: the last event that the channel has of the source is `last`. Redis has lost the others. */
  | { state: 'missing'; last: number }
  /** Nothing was published: the channel does not know yet, or does not know any more, that their attempt has begun. */
  | { state: 'unbegun' }
  /** The fence kept them out: their attempt is over. */
  | { state: 'refused' };

/** Publishes to channels. */
export interface Publisher {
  /**
   * Publishes an event: one script, one round trip.
   * @returns the event's id, or `undefined` when the fence kept it out
   * @throws TypeError for a name or an event that no channel can carry
   */
  publish(channel: string, event: ChannelEvent, fence?: Fence): Promise<string | undefined>;
  /**
   * Publishes events in a row, with nothing between them: one script, one try, all or none. With a numbering each is
   * published once: those that Redis has taken before are passed over.
   * @param events at least one; at most 256, and at most 256 KiB together unless it is one
   */
  publishInRow(
    channel: string,
    events: readonly PreparedEvent[],
    options: NumberedOptions,
  ): Promise<Numbered>;
}

/**
 * An event in the form in which it is sent to Redis.
 * @throws TypeError for an event that no channel can carry
 */
export function prepareEvent(event: ChannelEvent): PreparedEvent {
  return {
    slot: event.kind === 'state' ? (event.key ?? event.event ?? 'message') : '',
    body: frameBody(event),
    end: event.end === true,
  };
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { redis, prefix, logLength, ttlMs, unfinishedTtlMs = ttlMs, sharded } = options;
  const { batch = (call) => call() } = options;
  const scripts = scriptsOf(redis, channelScripts);
  const command = sharded ? 'SPUBLISH' : 'PUBLISH';

  /** One call. The run of the server is that of the moment in which the call is made. */
  function send(
    channel: string,
    events: readonly PreparedEvent[],
    { keepMs = 0, fence, numbering }: { keepMs?: number | undefined } & NumberedOptions,
  ): Promise<PublishReply> {
    const keys: string[] = channelKeys(prefix, channel);
    const ttl = Math.max(events.some(({ end }) => end) ? ttlMs : unfinishedTtlMs, keepMs);
    const [first, ...further] = events.map(({ slot, body, end }) => [slot, body, end ? '1' : ''] as const);
    const [slot, body, end] = first!;
    const { record } = numbering ?? {};
    if (record) keys.push(record.key);
    async function call(): Promise<PublishReply> {
      if (fence?.run && !isRun(redis, fence.run)) throw new ServerReplacedError();
      const head = [command, newEpoch(), slot, body, logLength, ttl, end];
      const rest = [...fenceArguments(fence), serverRun(redis)];
      // Arguments at the end that are not needed are left out.
      if (numbering || further.length > 0) rest.push(...numberingArguments(numbering));
      return scripts.channelPublish(keys.length, ...keys, ...head, ...rest, ...further.flat());
    }
    return new Promise((resolve, reject) => batch(() => void call().then(resolve, reject)));
  }

  return {
    async publish(channel, event, fence) {
      checkChannelName(channel);
      const events = [prepareEvent(event)];
      const reply = await send(channel, events, { keepMs: event.keepMs, fence });
      return typeof reply === 'string' ? reply : undefined;
    },
    async publishInRow(channel, events, options) {
      const reply = await send(checkChannelName(channel), events, options);
      if (reply === null) return { state: 'refused' };
      if (reply === -1) return { state: 'unbegun' };
      return typeof reply === 'string' ? { state: 'taken', id: reply } : { state: 'missing', last: reply };
    },
  };
}

function fenceArguments(fence: Fence | undefined): Array<string | number> {
  if (!fence) return ['', '', '', '', '', '', '', '', ''];
  const { attempt, rank = '', failures = 0, stalls = 0, reopens = '', again = false } = fence;
  const { field = '', from = '', to = '' } = fence.guard ?? {};
  return [attempt, rank, failures, stalls, reopens, field, from, to, again ? '1' : ''];
}

function numberingArguments(numbering: Numbering | undefined): Array<string | number> {
  if (!numbering) return ['', '', '', ''];
  const { source, first, skip = false, record } = numbering;
  return [source, first, skip ? '1' : '', record?.ttlMs ?? ''];
}
