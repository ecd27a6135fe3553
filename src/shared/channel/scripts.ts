import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

type Keys = [string, string, string];

/** The channel's scripts on a connection. Arguments and replies are described at the top of each Lua file. */
export interface ChannelScripts {
  channelPublish(keys: number, ...args: Array<string | number>): Promise<PublishReply>;
  channelReadBuffer(...args: [...Keys, ...Array<string | number>]): Promise<ReadReply | null>;
  channelSlotsBuffer(
    slots: string,
    cursor: string,
    after: number,
    upTo: number,
  ): Promise<[cursor: Buffer, frames: Buffer[]]>;
  channelSince(log: string, field: 't' | 'n', value: number): Promise<number>;
}

/** `null`: kept out. A number: the last event taken, some are missing. Else the id of the first event. */
export type PublishReply = null | number | string;

export type ReadReply = [
  epoch: Buffer,
  offset: Buffer,
  end: Buffer,
  reset: Buffer,
  more: number,
  logs: Buffer[],
  slots: Buffer[] | null,
  upTo: Buffer,
];

const lua = (name: string): string => readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');

/** Makes the scripts callable on a connection (by their SHA-1, sent whole only once). */
export function withScripts<R extends Redis | Cluster>(redis: R): R & ChannelScripts {
  if (!('channelPublish' in redis)) {
    redis.defineCommand('channelPublish', { lua: lua('publish') });
    redis.defineCommand('channelRead', { numberOfKeys: 3, lua: lua('read') });
    redis.defineCommand('channelSlots', { numberOfKeys: 1, lua: lua('slots') });
    redis.defineCommand('channelSince', { numberOfKeys: 1, lua: lua('since') });
  }
  return redis as R & ChannelScripts;
}

/** An epoch for a channel that may turn out to be new: 12 characters, unlike any before. (Node makes UUIDs in stock: they cost nearly nothing.) */
export const newEpoch = (): string => randomUUID().slice(-12);
