import { randomUUID } from 'node:crypto';
import { defineScripts, luaBeside } from '../redis/scripts.js';

type Keys = [string, string, string];

/** The commands of the channel's scripts. Arguments and replies are described at the top of each Lua file. */
export interface ChannelCommands {
  channelPublish(keys: number, ...args: Array<string | number>): Promise<PublishReply>;
  channelPublishMany(keys: number, ...args: Array<string | number>): Promise<Array<PublishReply | Error>>;
  channelReadBuffer(...args: [...Keys, ...Array<string | number>]): Promise<ReadReply | null>;
  channelSlotsBuffer(
    slots: string,
    cursor: string,
    after: number,
    upTo: number,
  ): Promise<[cursor: Buffer, frames: Buffer[]]>;
  channelSince(log: string, field: 't' | 'n', value: number): Promise<number>;
}

/** `null`: the fence rejected the events. A number: events before them are missing, or see publish.lua. A string: the id of the first event. */
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

const lua = luaBeside(import.meta.url);

export const channelScripts = defineScripts<ChannelCommands>({
  channelPublish: { lua: lua('publish') },
  channelPublishMany: {
    lua: `local function publish(KEYS, ARGV)\n${lua('publish')}\nend\n${lua('publish-many')}`,
  },
  channelRead: { numberOfKeys: 3, lua: lua('read') },
  channelSlots: { numberOfKeys: 1, lua: lua('slots') },
  channelSince: { numberOfKeys: 1, lua: lua('since') },
});

/** Returns a new epoch: 12 random characters. Cheap, because Node generates UUIDs in advance. */
export const newEpoch = (): string => randomUUID().slice(-12);
