import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { type EventId, frameId } from './frame.js';
import { channelKeys } from './keys.js';
import { type ChannelCommands, channelScripts } from './scripts.js';

/** Why a reader may have to discard its state. `expired`: the channel does not exist. */
export const RESET_REASONS = ['epoch', 'rewound', 'trimmed', 'expired'] as const;

/** The events that a reader at some offset of a channel has missed. */
export interface Missed {
  epoch: string;
  /** The reader's offset after `frames`. */
  offset: number;
  /** The offset of the event that ended the channel, if it has ended. */
  end: number | undefined;
  /** Why the reader has to discard its state; empty if it does not. */
  reset: '' | (typeof RESET_REASONS)[number];
  /** Whether there is more to read, from `offset` on. */
  more: boolean;
  frames: Frame[];
}

/** A missed event: a log event, or the newest state event of its key. */
export interface Frame {
  offset: number;
  frame: Buffer;
  isState: boolean;
}

/** Maximum number of log events and bytes of slots in a page. A single slot may be larger. */
const PAGE = 256;
const SLOT_BYTES = 256 * 1024;

/** A reader's position. For a reader that has seen nothing, `after` skips the log events up to that offset. */
export type ChannelPosition = EventId & { after?: number | undefined };

/** Reads the missed events, in order of offset. Resolves to `undefined` for a channel that does not exist. */
export type Reader = (channel: string, since: ChannelPosition) => Promise<Missed | undefined>;

/** Creates a reader. A position with an empty epoch is that of a viewer that has seen nothing. */
export function createReader(redis: RedisClient, keyspace: Keyspace): Reader {
  const scripts = scriptsOf(redis, channelScripts);
  return async (channel, since) => {
    // The position may change before the reply arrives.
    const { epoch: knownEpoch, offset: knownOffset, after: unwanted = 0 } = since;
    const reply = await scripts.channelReadBuffer(
      ...channelKeys(keyspace, channel),
      knownEpoch,
      knownOffset,
      PAGE,
      unwanted,
    );
    if (!reply) return undefined;
    const [epoch, offset, end, resetReason, more, logs, slots, slotsUpTo] = reply;
    const reset = resetReason.toString() as Missed['reset'];
    const after = reset === 'epoch' || reset === 'rewound' ? 0 : knownOffset;
    const log = logs.map((frame) => placed(frame, false));
    // If more log events follow, slots newer than this page belong to a later one.
    const newestLog = log.at(-1);
    const until = more && newestLog ? newestLog.offset : Number(offset);
    const limit = slotsUpTo.length > 0 ? Number(slotsUpTo) : until;
    const states = slots
      ? { frames: inOrder(slots).filter((slot) => slot.offset > after && slot.offset <= limit), upTo: limit }
      : await readSlots(scripts, channelKeys(keyspace, channel)[2], after, until);
    if (!slots && (await redis.hget(channelKeys(keyspace, channel)[0], 'epoch')) !== epoch.toString()) {
      throw new Error('the channel was created anew during the read');
    }
    const { frames: newer, upTo } = states;
    const inPage = upTo < until ? log.filter((event) => event.offset <= upTo) : log;
    return {
      epoch: epoch.toString(),
      offset: upTo,
      end: end.length > 0 ? Number(end) : undefined,
      reset,
      more: more === 1 || upTo < until,
      frames: newer.length > 0 ? [...inPage, ...newer].sort(byOffset) : inPage,
    };
  };
}

/**
 * Reads the oldest slots that are newer than `after` in several calls, for channels with many or large slots.
 * @returns `upTo`: the offset up to which no slot is missing; `until` if all were read
 */
async function readSlots(
  scripts: ChannelCommands,
  key: string,
  after: number,
  until: number,
): Promise<{ frames: Frame[]; upTo: number }> {
  let frames = new Map<number, Frame>();
  let upTo = until;
  let cursor = '0';
  do {
    const [next, some] = await scripts.channelSlotsBuffer(key, cursor, after, upTo);
    cursor = next.toString();
    for (const frame of some) {
      const slot = placed(frame, true);
      frames.set(slot.offset, slot);
    }
    // Slots that belong to a later page are no longer read.
    const kept = firstOf([...frames.values()].sort(byOffset), SLOT_BYTES);
    const newestKept = kept.at(-1);
    if (newestKept && kept.length < frames.size) upTo = newestKept.offset;
    frames = new Map(kept.map((slot) => [slot.offset, slot]));
  } while (cursor !== '0');
  return { frames: [...frames.values()], upTo };
}

/** Returns as many of the first frames as fit, and at least one. */
function firstOf(frames: Frame[], maxBytes: number): Frame[] {
  let bytes = 0;
  const end = frames.findIndex(({ frame }, i) => {
    bytes += frame.length;
    return i > 0 && bytes > maxBytes;
  });
  return end < 0 ? frames : frames.slice(0, end);
}

const byOffset = (a: Frame, b: Frame): number => a.offset - b.offset;

const inOrder = (slots: Buffer[]): Frame[] => slots.map((frame) => placed(frame, true)).sort(byOffset);

const placed = (frame: Buffer, isState: boolean): Frame => ({
  offset: frameId(frame).offset,
  frame,
  isState,
});

/** Returns the epoch of a channel, and the offset of its end if it has ended; see {@link sawEnd}. */
export async function readEnd(
  redis: RedisClient,
  keyspace: Keyspace,
  channel: string,
): Promise<{ epoch: string | undefined; end: number | undefined }> {
  const [epoch, end] = await redis.hmget(channelKeys(keyspace, channel)[0], 'epoch', 'end');
  return { epoch: epoch ?? undefined, end: end ? Number(end) : undefined };
}

/** The log events that a new viewer gets: the newest `last`, or those since a time (ms since 1970). */
export type ReplayFrom = { last: number } | { since: number };

/**
 * Returns the offset before the first log event that a new viewer gets. It has to be called before the stream opens, so that
 * the viewer gets everything that is published from then on.
 */
export type Tail = (channel: string, wanted: ReplayFrom) => Promise<number>;

export function createTail(redis: RedisClient, keyspace: Keyspace): Tail {
  const scripts = scriptsOf(redis, channelScripts);
  return async (channel, wanted) => {
    const [meta, log] = channelKeys(keyspace, channel);
    if ('since' in wanted) return scripts.channelSince(log, 't', wanted.since);
    const [newest = 0, logs = 0] = (await redis.hmget(meta, 'log', 'logs')).map(Number);
    if (wanted.last === 0) return newest;
    // Releases before 0.2 did not count log events. Assume that all events were log events.
    if (!logs) return Math.max(0, newest - wanted.last);
    return scripts.channelSince(log, 'n', Math.max(1, logs - wanted.last + 1));
  };
}
