import type { Cluster, Redis } from 'ioredis';
import { type EventId, frameId, sawEnd } from './frame.js';
import { channelKeys } from './keys.js';
import { withScripts } from './scripts.js';

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
  frames: Array<{ offset: number; frame: Buffer }>;
}

const PAGE = 256;

/** A reader's position. `after` counts for one that has seen nothing: the log events up to it are not wanted. */
export type Position = EventId & { after?: number | undefined };

/** Reads what was missed: log events and newer slots, in order of offset. */
export type Reader = (channel: string, since: Position) => Promise<Missed | undefined>;

/** `since` with an empty epoch is a reader that has seen nothing. Resolves to `undefined` for a channel that does not exist. */
export function createReader(redis: Redis | Cluster, prefix: string): Reader {
  const scripts = withScripts(redis);
  return async (channel, since) => {
    const reply = await scripts.channelReadBuffer(
      ...channelKeys(prefix, channel),
      since.epoch,
      since.offset,
      PAGE,
      since.after ?? 0,
    );
    if (!reply) return undefined;
    const [epoch, offset, end, resetReason, more, logs, slots] = reply;
    const reset = resetReason.toString() as Missed['reset'];
    const after = reset === 'epoch' || reset === 'rewound' ? 0 : since.offset;
    const log = logs.map(placed);
    // With more log events to come, a slot newer than this page waits for its turn.
    const upTo = more ? log.at(-1)!.offset : Number(offset);
    const newer = slots.map(placed).filter((slot) => slot.offset > after && slot.offset <= upTo);
    return {
      epoch: epoch.toString(),
      offset: upTo,
      end: end.length > 0 ? Number(end) : undefined,
      reset,
      more: more === 1,
      frames: newer.length > 0 ? [...log, ...newer].sort((a, b) => a.offset - b.offset) : log,
    };
  };
}

const placed = (frame: Buffer): { offset: number; frame: Buffer } => ({
  offset: frameId(frame).offset,
  frame,
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
export type Wanted = { last: number } | { since: number };

/**
 * Where a newcomer has to begin: the offset before the first log event that it wants. Asked before the viewer is told
 * that its stream is open, so that it gets whatever is published from then on.
 */
export type Tail = (channel: string, wanted: Wanted) => Promise<number>;

export function createTail(redis: Redis | Cluster, prefix: string): Tail {
  const scripts = withScripts(redis);
  return async (channel, wanted) => {
    const [meta, log] = channelKeys(prefix, channel);
    if ('since' in wanted) return scripts.channelSince(log, wanted.since);
    if (wanted.last === 0) return Number((await redis.hget(meta, 'log')) ?? 0);
    const newest = await redis.xrevrange(log, '+', '-', 'COUNT', wanted.last);
    const oldest = newest.at(-1)?.[0];
    return oldest ? Number(oldest.split('-')[0]) - 1 : 0;
  };
}
