import type { Cluster, Redis } from 'ioredis';
import { scriptsOf } from '../redis/scripts.js';
import { type EventId, frameId, sawEnd } from './frame.js';
import { channelKeys } from './keys.js';
import { type ChannelCommands, channelScripts } from './scripts.js';

/** What a reader at some offset of a channel has missed. */
export interface Missed {
  epoch: string;
  /** The offset at which the reader is after `frames`. */
  offset: number;
  /** The offset of the event that ended the channel, when it has ended. */
  end: number | undefined;
  /** Why what the reader knew no longer holds; empty when it still does. */
  reset: '' | 'epoch' | 'rewound' | 'trimmed';
  /** More follows: read again from `offset`. */
  more: boolean;
  frames: Frame[];
}

/** An event that was missed. Only the newest of each state is. */
export interface Frame {
  offset: number;
  frame: Buffer;
  isState: boolean;
}

/** A page has so many log events at most, and so many bytes of slots, or one that is larger. */
const PAGE = 256;
const SLOT_BYTES = 256 * 1024;

/** A reader's position. `after` counts for one that has seen nothing: the log events up to it are not wanted. */
export type ChannelPosition = EventId & { after?: number | undefined };

/** Reads what was missed: log events and newer slots, in order of offset. */
export type Reader = (channel: string, since: ChannelPosition) => Promise<Missed | undefined>;

/** `since` with an empty epoch is a reader that has seen nothing. Resolves to `undefined` for a channel that does not exist. */
export function createReader(redis: Redis | Cluster, prefix: string): Reader {
  const scripts = scriptsOf(redis, channelScripts);
  return async (channel, since) => {
    // Whoever asks may have moved on when the answer is there.
    const { epoch: knownEpoch, offset: knownOffset, after: unwanted = 0 } = since;
    const reply = await scripts.channelReadBuffer(
      ...channelKeys(prefix, channel),
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
    // With more log events to come, a slot newer than this page waits for its turn.
    const until = more ? log.at(-1)!.offset : Number(offset);
    const limit = slotsUpTo.length > 0 ? Number(slotsUpTo) : until;
    const states = slots
      ? { frames: inOrder(slots).filter((slot) => slot.offset > after && slot.offset <= limit), upTo: limit }
      : await readSlots(scripts, channelKeys(prefix, channel)[2], after, until);
    if (!slots && (await redis.hget(channelKeys(prefix, channel)[0], 'epoch')) !== epoch.toString()) {
      throw new Error('the channel was made anew while it was read');
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
 * Reads the oldest of many slots, or of large ones, that are newer than `after`, piece by piece.
 * @returns `upTo`: the offset up to which nothing is missing; `until` when all of them were read
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
    // What is left for another page is not asked for any more.
    const kept = firstOf([...frames.values()].sort(byOffset), SLOT_BYTES);
    if (kept.length < frames.size) upTo = kept.at(-1)!.offset;
    frames = new Map(kept.map((slot) => [slot.offset, slot]));
  } while (cursor !== '0');
  return { frames: [...frames.values()], upTo };
}

/** As many of the first frames as fit, and at least one. */
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

/** Whether a reader that has seen what an id says has seen the end of its channel. */
export async function hasSeenEnd(
  redis: Redis | Cluster,
  prefix: string,
  channel: string,
  lastEventId: string,
): Promise<boolean> {
  const [epoch, end] = await redis.hmget(channelKeys(prefix, channel)[0], 'epoch', 'end');
  return sawEnd(lastEventId, { epoch: epoch ?? undefined, end: end ? Number(end) : undefined });
}

/** Which of the log's events a newcomer wants: so many of the newest, or those from a time on (ms since 1970). */
export type ReplayFrom = { last: number } | { since: number };

/**
 * Where a newcomer has to begin: the offset before the first log event that it wants. Asked before the viewer is told
 * that its stream is open, so that it gets whatever is published from then on.
 */
export type Tail = (channel: string, wanted: ReplayFrom) => Promise<number>;

export function createTail(redis: Redis | Cluster, prefix: string): Tail {
  const scripts = scriptsOf(redis, channelScripts);
  return async (channel, wanted) => {
    const [meta, log] = channelKeys(prefix, channel);
    if ('since' in wanted) return scripts.channelSince(log, 't', wanted.since);
    const [newest, logs] = (await redis.hmget(meta, 'log', 'logs')).map(Number);
    if (wanted.last === 0) return newest!;
    // Events of a release before 0.2 have no numbers: if all had been log events, these would be the newest.
    if (!logs) return Math.max(0, newest! - wanted.last);
    return scripts.channelSince(log, 'n', Math.max(1, logs - wanted.last + 1));
  };
}
