import { defineScripts, luaBeside } from '../redis/scripts.js';

export type CancelReply = 'missing' | 'ended' | 'taken' | 'notified' | 'parent' | 'begun' | 'far';

/** The commands of the lifecycle's scripts. Arguments and replies are described at the top of each Lua file. */
export interface LifecycleCommands {
  readJob(...args: string[]): Promise<string[] | null>;
  jobAttempts(
    keys: number,
    ...args: Array<string | number>
  ): Promise<[upTo: string, last: string, ...numbers: number[]]>;
  cancelJob(...args: string[]): Promise<CancelReply>;
  markCancelPublished(key: string, finishedOn: number): Promise<void>;
  holdKey(...args: string[]): Promise<void>;
  takeLease(key: string, holder: string, ms: number): Promise<number>;
}

/**
 * The fields of the reply of `job.lua`, in order. `parseSnapshot` and the scripts find each by its name here. Those
 * from `name` to `hw:code` are named as in the job's hash.
 */
export const REPLY_FIELDS = [
  'state',
  'due',
  'name',
  'ats',
  'atm',
  'stc',
  'timestamp',
  'processedOn',
  'finishedOn',
  'failedReason',
  'returnvalue',
  'progress',
  'opts',
  'hw:cancel',
  'hw:code',
  'paused',
  'pendingChildren',
  'completedChildren',
  'failedChildren',
  'foreignLines',
] as const;

export type ReplyField = (typeof REPLY_FIELDS)[number];

/** Defines `FIELD`, the position of each field in the reply, for scripts that make or read one. */
export const replyFieldsLua = `local FIELD = {${REPLY_FIELDS.map((field, i) => `['${field}']=${i + 1}`).join(',')}}`;

/** The number of keys of `job.lua`. */
export const JOB_KEYS = 8;

const lua = luaBeside(import.meta.url);

/** The body of `job.lua`; {@link replyFieldsLua} has to come before it. */
export const snapshotLua = lua('job');

export const lifecycleScripts = defineScripts<LifecycleCommands>({
  readJob: { numberOfKeys: JOB_KEYS, lua: `${replyFieldsLua}\n${snapshotLua}` },
  jobAttempts: { lua: lua('attempts') },
  cancelJob: { numberOfKeys: 9, lua: lua('cancel') },
  markCancelPublished: { numberOfKeys: 1, lua: lua('cancel-published') },
  holdKey: { numberOfKeys: 3, lua: lua('hold-key') },
  takeLease: { numberOfKeys: 1, lua: lua('lease') },
});
