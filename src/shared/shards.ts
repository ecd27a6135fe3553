import { createHash } from 'node:crypto';
import { SLOTS, slotOf } from './hash-slot.js';

/** The maximum of `QUEUE_SHARDS`. */
export const MAX_SHARDS = 64;

/** The end of the name of a queue in another shard than the first. `s` is no hexadecimal digit, so it is no encoded byte of an id. */
export const SHARD_SUFFIX = '~s(?:[1-9]|[1-5][0-9]|6[0-3])';
const SHARDED = new RegExp(`^(.*)${SHARD_SUFFIX.replace('(?:', '(')}$`, 's');

/** How far the slot of a shard may be from its place. */
const NEAR = SLOTS / 128;

/**
 * Returns the hash tag of a shard's keys: the prefix, `~` and the shard, and what it needs to be in the right place. From the
 * slot of the first shard, the places are a third and two thirds of all slots on, then the ninths, and so on: masters that
 * have equal parts of the slots get equal numbers of shards.
 */
export function hashTagOf(prefix: string, shard: number): string {
  if (shard === 0) return prefix;
  let share = 0;
  for (let rest = shard, part = 1 / 3; rest > 0; rest = Math.floor(rest / 3), part /= 3)
    share += (rest % 3) * part;
  const place = slotOf(prefix) + share * SLOTS;
  for (let i = 0; ; i++) {
    const tag = `${prefix}~${shard}${i === 0 ? '' : `.${i}`}`;
    const distance = (slotOf(tag) - place + 2 * SLOTS) % SLOTS;
    if (distance < NEAR || distance > SLOTS - NEAR) return tag;
  }
}

/** Splits the name of a queue in a shard into the shard and the name of the queue. */
export function splitQueue(queue: string): { shard: number; name: string } {
  // Most names need no more than this.
  const [, name, shard] = queue.includes('~s') ? (SHARDED.exec(queue) ?? []) : [];
  return name === undefined ? { shard: 0, name: queue } : { shard: Number(shard), name };
}

/**
 * Returns the name of a queue in a shard: `steps` in shard 0, `steps~s1` in shard 1. In BullMQ and for clients, the queue is
 * `steps` in every shard.
 */
export const inShard = (queue: string, shard: number): string => (shard === 0 ? queue : `${queue}~s${shard}`);

export const shardOf = (queue: string): number => splitQueue(queue).shard;

/** Returns the name of a queue without its shard. */
export const queueNameOf = (queue: string): string => splitQueue(queue).name;

/** Returns the shard that a text gives, which is always the same for the same number of shards. */
export const shardFor = (text: string, shards: number): number =>
  shards === 1 ? 0 : createHash('sha1').update(text).digest().readUInt32BE() % shards;

/**
 * Returns the name of a queue in its shard from BullMQ's qualified name: `steps~s1` from `{headway~1.10}:steps`. In `KEY_PREFIX`,
 * `~` is not allowed.
 */
export function queueIn({ qualifiedName }: { qualifiedName: string }): string {
  const [, shard, name] = /^\{[^}]*?(?:~(\d+)(?:\.\d+)?)?\}:(.*)$/s.exec(qualifiedName) ?? [];
  return name === undefined
    ? qualifiedName.slice(qualifiedName.lastIndexOf(':') + 1)
    : inShard(name, Number(shard ?? 0));
}

/** Returns the shard of a queue in which a new family of jobs goes. @param seed as for {@link shardFor} */
export const placedQueue = (queue: string, seed: string, { placed }: Pick<Shards, 'placed'>): string =>
  inShard(queue, shardFor(seed, placed));

/** The shards of an installation, as a process knows them. */
export class Shards {
  /** The values of `QUEUE_SHARDS` that processes of this installation have or had. */
  counts: readonly number[];
  /** How many shards may have jobs: the largest of the counts. */
  known: number;

  /** @param placed `QUEUE_SHARDS` of this process: how many shards get new jobs */
  constructor(readonly placed: number) {
    this.counts = [1, placed];
    this.known = placed;
  }

  /** All shards that may have jobs. */
  get all(): number[] {
    return Array.from({ length: this.known }, (_, shard) => shard);
  }

  /** Sets the counts that other processes have or had. */
  learn(counts: readonly number[]): void {
    this.counts = [...new Set([1, this.placed, ...counts])];
    this.known = Math.max(...this.counts);
  }

  /** Returns a queue in every shard that may have its jobs. */
  of(queue: string): string[] {
    return this.all.map((shard) => inShard(queue, shard));
  }
}
