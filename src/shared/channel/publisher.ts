import type { Keyspace } from '../keyspace.js';
import { eventsPublished } from '../metrics/job-metrics.js';
import { isCluster, type RedisClient } from '../redis/client.js';
import { passReplies, type Waiting } from '../redis/replies.js';
import { scriptsOf } from '../redis/scripts.js';
import { isRun, ServerReplacedError, writerRun } from '../redis/server-run.js';
import type { Batch } from './batch.js';
import { type FrameInput, frameBody } from './frame.js';
import { channelKeys, checkChannelName } from './keys.js';
import { type ChannelLimits, channelFull } from './limits.js';
import { channelScripts, newEpoch, type PublishReply } from './scripts.js';

/** An event to publish to a channel. */
export interface ChannelEvent extends FrameInput {
  /** `log`: every event is kept, in order. `state`: only the newest event of each key is kept. Defaults to `log`. */
  kind?: 'log' | 'state';
  /** The key of a state event. Defaults to the event's name. */
  key?: string;
  /** Minimum time for which the channel is kept after this event, in ms. */
  keepMs?: number;
}

/**
 * Rejects an event that comes too late: one of a finished attempt, or a lifecycle event that was already published.
 * Positions are (attempt, rank) and only increase; see `src/shared/lifecycle`.
 */
export interface Fence {
  attempt: number;
  /** The position of a lifecycle event within its attempt. Absent for events of a running attempt. */
  rank?: number;
  /** With `rank`: the numbers of the job's failed attempts and of its stalls so far. */
  failures?: number;
  stalls?: number;
  /** With `rank`: the offset of the channel's end that this event revokes, because a finished job runs again. */
  reopens?: number;
  /** Compare and set: rejects the event unless a field of the channel is still `from`, and sets the field to `to`. */
  guard?: Guard;
  /** With `rank` and `guard`: allows a rank that was already published, because the guard's field has changed. */
  again?: boolean;
  /** The run of the server that the decision to publish is based on. On a different run the event is not published. */
  run?: string;
}

/** A compare-and-set on a field of the channel, for events without a rank. An empty `from` means that it is not set. */
export interface Guard {
  field: 'due' | 'percent' | 'lines' | 'paused' | 'attempt';
  from: string | number;
  to: string | number;
}

export interface PublisherOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  /** Approximate number of events that a channel's log keeps. */
  logLength: number;
  /** How long a channel is kept after its last event, in ms. */
  ttlMs: number;
  /** How long a channel is kept after an event that does not end it, in ms. Defaults to `ttlMs`. */
  unfinishedTtlMs?: number;
  /** Limits of each channel; by default, there are none. Not together with `batch`. */
  limits?: ChannelLimits | undefined;
  /** Whether the server has sharded Pub/Sub (Redis 7). */
  sharded: boolean;
  /**
   * Publishes to several channels in one call, when this batch makes it. By default, events are published at once, with one
   * call for each channel. In a Cluster, channels are in different slots, so each always has its own call.
   */
  batch?: Batch | undefined;
}

/** Limits of one call, because Redis does nothing else during a script. */
export const ROW_EVENTS = 256;
export const ROW_CHARACTERS = 256 * 1024;
/** Limits of a call for several channels. A channel whose events exceed them has its own call. */
const GROUP_EVENTS = 48;
const GROUP_CHARACTERS = 64 * 1024;

/** An event as it is sent to Redis. */
export interface PreparedEvent {
  /** The key of a state event; empty for a log event. */
  slot: string;
  /** The frame without its position in the channel. */
  body: string;
  end: boolean;
}

/** Numbers the events of a source, so that each is published once, however often it is sent. */
export interface Numbering {
  /** The name of the source: 1 to 64 visible ASCII characters. The first event of each source has the number 1. */
  source: string;
  /** The number of the first event in the call. */
  first: number;
  /** Whether the events before the first are known to be lost, and the channel continues without them. Defaults to false. */
  skip?: boolean;
  /** A Redis key, in the hash slot of the channel, that stores the ids of the published events for `ttlMs`. */
  record?: { key: string; ttlMs: number };
}

export interface NumberedOptions {
  numbering?: Numbering | undefined;
  fence?: Fence | undefined;
  /** Minimum time for which the channel is kept after these events, in ms. */
  keepMs?: number | undefined;
}

/** The outcome of publishing consecutive events. */
export type Numbered =
  /** All events are on the channel. `id` is that of the first new one, or empty if there is none. */
  | { state: 'taken'; id: string }
  /** Nothing was published: RedisClient has lost events. `last` is the last event of the source that the channel has. */
  | { state: 'missing'; last: number }
  /** Nothing was published: the start of the attempt is not published yet, or Redis has lost it. */
  | { state: 'unbegun' }
  /** Nothing was published: the fence rejected the events, because their attempt is over. */
  | { state: 'refused' };

/** An event for a channel, see `Publisher.publish`. */
export interface Publication {
  channel: string;
  event: ChannelEvent;
  fence?: Fence | undefined;
}

/** Publishes to channels. */
export interface Publisher {
  /**
   * Publishes an event in one round trip.
   * @returns the event's id, or `undefined` if the fence rejected the event
   * @throws TypeError for an invalid channel name or event; HeadwayError `channel-full` if the channel has no room for the state
   */
  publish(channel: string, event: ChannelEvent, fence?: Fence): Promise<string | undefined>;
  /**
   * Publishes events as `publish` does, but to several channels in one call, which is sent at once. Not for a Cluster, where
   * each channel has its own call.
   * @returns for each event what `publish` would return
   */
  publishTogether(publications: readonly Publication[]): Array<Promise<string | undefined>>;
  /**
   * Publishes consecutive events atomically: one script, one attempt, all or none. With a numbering, events that were already
   * published are skipped.
   * @param events 1 to 256 events of at most 256 KiB together; a single event may be larger
   * @throws HeadwayError `channel-full` if the channel has no room for the states among them. Nothing was published
   */
  publishInRow(
    channel: string,
    events: readonly PreparedEvent[],
    options: NumberedOptions,
  ): Promise<Numbered>;
}

/**
 * Returns an event as it is sent to Redis.
 * @throws TypeError for an invalid event
 */
export function prepareEvent(event: ChannelEvent): PreparedEvent {
  return {
    slot: event.kind === 'state' ? (event.key ?? event.event ?? 'message') : '',
    body: frameBody(event),
    end: event.end === true,
  };
}

/** Consecutive events of one channel on their way to Redis. */
interface Row extends NumberedOptions, Waiting<PublishReply> {
  channel: string;
  events: readonly PreparedEvent[];
  ttl: number;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { redis, keyspace, logLength, ttlMs, unfinishedTtlMs = ttlMs, limits, sharded, batch } = options;
  const scripts = scriptsOf(redis, channelScripts);
  const command = sharded ? 'SPUBLISH' : 'PUBLISH';
  /** The rows for the next call of several channels. */
  let waiting: Row[] = [];

  async function send(
    channel: string,
    events: readonly PreparedEvent[],
    { keepMs = 0, fence, numbering }: NumberedOptions,
    pass: (row: Row) => void = sendRow,
  ): Promise<PublishReply> {
    if (events.length === 0) throw new TypeError('there are no events to publish');
    eventsPublished.only.value += events.length;
    const ttl = Math.max(events.some(({ end }) => end) ? ttlMs : unfinishedTtlMs, keepMs);
    const reply = await new Promise<PublishReply>((resolve, reject) => {
      pass({ channel, events, ttl, fence, numbering, resolve, reject });
    });
    if (limits && (reply === -2 || reply === -3)) {
      throw channelFull(channel, reply === -2 ? 'slots' : 'slotBytes', limits);
    }
    return reply;
  }

  function sendRow(row: Row): void {
    if (!batch || row.numbering?.record) return void sendOne(row);
    if (waiting.push(row) === 1) batch(sendWaiting);
  }

  /** Whether the decision to publish a row is still valid. Otherwise the row is rejected. */
  function isCurrent({ fence, reject }: Row): boolean {
    if (!fence?.run || isRun(redis, fence.run)) return true;
    reject(new ServerReplacedError());
    return false;
  }

  function sendOne(row: Row): Promise<void> | undefined {
    if (!isCurrent(row)) return undefined;
    const keys: string[] = channelKeys(keyspace, row.channel);
    const { record } = row.numbering ?? {};
    if (record) keys.push(record.key);
    return scripts.channelPublish(keys.length, ...keys, ...argumentsOf(row)).then(row.resolve, row.reject);
  }

  /** Sends the rows that wait, at the end of a turn: the events of a turn go together. */
  async function sendWaiting(): Promise<void> {
    await new Promise(setImmediate);
    const rows = waiting.filter(isCurrent);
    waiting = [];
    if (isCluster(redis)) await Promise.all(rows.map(sendOne));
    else await Promise.all(groupsOf(rows).map(sendMany));
  }

  async function sendMany(rows: Row[]): Promise<void> {
    const keys = rows.map(({ channel }) => channelKeys(keyspace, channel)[0]);
    const args = [command, newEpoch().slice(2), logLength, writerRun(redis)];
    for (const { events, ttl, fence, numbering } of rows) {
      const [attempt = '', ...further] = fenceArguments(fence);
      const [source = '', first = '', skip = ''] = numberingArguments(numbering);
      args.push(ttl, attempt, further.join(' '), source, first, skip, events.length);
      for (const event of events) args.push(...eventArguments(event));
    }
    await passReplies(rows, () => scripts.channelPublishMany(keys.length, ...keys, ...args));
  }

  /** Returns the arguments of `publish.lua`. Unused ones at the end are left out. */
  function argumentsOf({ events, ttl, fence, numbering }: Row): Array<string | number> {
    const [first, ...further] = events;
    if (!first) throw new TypeError('there are no events to publish');
    const [slot, body, end] = eventArguments(first);
    const args = [command, newEpoch(), slot, body, logLength, ttl, end];
    args.push(...padded(fenceArguments(fence), 9), writerRun(redis));
    if (numbering || limits || further.length > 0) args.push(...padded(numberingArguments(numbering), 4));
    if (limits) args.push(limits.logBytes, limits.slots, limits.slotBytes);
    else if (further.length > 0) args.push('', '', '');
    for (const event of further) args.push(...eventArguments(event));
    return args;
  }

  async function publish(
    { channel, event, fence }: Publication,
    pass?: (row: Row) => void,
  ): Promise<string | undefined> {
    checkChannelName(channel);
    const reply = await send(channel, [prepareEvent(event)], { keepMs: event.keepMs, fence }, pass);
    return typeof reply === 'string' ? reply : undefined;
  }

  return {
    publish: (channel, event, fence) => publish({ channel, event, fence }),
    publishTogether(publications) {
      const rows: Row[] = [];
      const replies = publications.map((publication) => publish(publication, (row) => rows.push(row)));
      if (isCluster(redis)) for (const row of rows) void sendOne(row);
      else for (const group of groupsOf(rows.filter(isCurrent))) void sendMany(group);
      return replies;
    },
    async publishInRow(channel, events, options) {
      const reply = await send(checkChannelName(channel), events, options);
      if (reply === null) return { state: 'refused' };
      if (reply === -1) return { state: 'unbegun' };
      return typeof reply === 'string' ? { state: 'taken', id: reply } : { state: 'missing', last: reply };
    },
  };
}

/** Splits rows into calls within the limits, in order. */
function groupsOf(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  let events = Number.POSITIVE_INFINITY;
  let characters = 0;
  for (const row of rows) {
    events += row.events.length;
    for (const { body } of row.events) characters += body.length;
    if (events <= GROUP_EVENTS && characters <= GROUP_CHARACTERS) groups.at(-1)?.push(row);
    else {
      groups.push([row]);
      events = row.events.length;
      characters = row.events.reduce((sum, { body }) => sum + body.length, 0);
    }
  }
  return groups;
}

const eventArguments = ({ slot, body, end }: PreparedEvent): [string, string, string] => [
  slot,
  body,
  end ? '1' : '',
];

function fenceArguments(fence: Fence | undefined): Array<string | number> {
  if (!fence) return [];
  const { attempt, rank, failures = 0, stalls = 0, reopens = '', again = false, guard } = fence;
  if (rank === undefined && !guard) return [attempt];
  const { field = '', from = '', to = '' } = guard ?? {};
  return [attempt, rank ?? '', failures, stalls, reopens, field, from, to, again ? '1' : ''];
}

function numberingArguments(numbering: Numbering | undefined): Array<string | number> {
  if (!numbering) return [];
  const { source, first, skip = false, record } = numbering;
  return record ? [source, first, skip ? '1' : '', record.ttlMs] : [source, first, skip ? '1' : ''];
}

/** Fills up a list of arguments with empty ones. */
const padded = (args: Array<string | number>, length: number): Array<string | number> => [
  ...args,
  ...Array<string>(length - args.length).fill(''),
];
