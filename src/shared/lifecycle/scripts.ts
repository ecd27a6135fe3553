import { defineScripts, luaBeside } from '../redis/scripts.js';

export type CancelReply = 'missing' | 'ended' | 'taken' | 'notified' | 'parent' | 'begun' | 'far';

/** The commands of the lifecycle's scripts. Arguments and replies are described at the top of each Lua file. */
export interface LifecycleCommands {
  readJob(...args: string[]): Promise<JobReply | null>;
  jobAttempts(
    keys: number,
    ...args: Array<string | number>
  ): Promise<[upTo: string, last: string, ...numbers: number[]]>;
  cancelJob(...args: string[]): Promise<CancelReply>;
  markCancelPublished(key: string, finishedOn: number): Promise<void>;
  holdKey(...args: string[]): Promise<void>;
  takeLease(...args: Array<string | number>): Promise<number>;
}

/** Fields that may be long. They come last. */
const LONG_FIELDS = ['failedReason', 'returnvalue', 'progress', 'opts'] as const;

/**
 * The fields of the reply of `job.lua`, in order. `parseReply` and the scripts find each by its name here. All except
 * `state`, `due`, `paused` and the counts are named as in the job's hash.
 */
const REPLY_FIELDS = [
  'state',
  'due',
  'name',
  'ats',
  'atm',
  'stc',
  'timestamp',
  'processedOn',
  'finishedOn',
  'hw:cancel',
  'hw:code',
  'hw:logged',
  'defa',
  'paused',
  'pendingChildren',
  'completedChildren',
  'failedChildren',
  'foreignLines',
  ...LONG_FIELDS,
] as const;

type ReplyField = (typeof REPLY_FIELDS)[number];

/** A reply as it is sent: the short fields as a JSON array, then the long ones. Few parts are cheaper to send and to parse. */
export type JobReply = [json: string, ...long: Array<string | null>];

export function parseReply([json, ...long]: JobReply): Record<ReplyField, string> {
  const values = [...(JSON.parse(json) as Array<string | false>), ...long];
  const fields = {} as Record<ReplyField, string>;
  for (const [i, name] of REPLY_FIELDS.entries()) fields[name] = values[i] || '';
  return fields;
}

const lua = luaBeside(import.meta.url);

/**
 * Lua that scripts have before them which read jobs: `FIELDS`, the {@link REPLY_FIELDS}, `FIELD`, the position of each,
 * `readJob`, which does what `job.lua` says, and `packed`, which makes a {@link JobReply} of what it returns.
 */
export const readJobLua = `
local FIELDS = {${REPLY_FIELDS.map((field) => `'${field}'`).join(',')}}
local FIELD = {${REPLY_FIELDS.map((field, i) => `['${field}']=${i + 1}`).join(',')}}
local function readJob(KEYS, ARGV)
${lua('job')}
end
local function packed(reply)
  local short = #reply - ${LONG_FIELDS.length}
  return {cjson.encode({unpack(reply, 1, short)}), unpack(reply, short + 1)}
end`;

export const lifecycleScripts = defineScripts<LifecycleCommands>({
  readJob: {
    numberOfKeys: 1,
    lua: `${readJobLua}\nlocal reply = readJob(KEYS, ARGV)\nreturn reply and packed(reply)`,
  },
  jobAttempts: { lua: lua('attempts') },
  cancelJob: { numberOfKeys: 9, lua: lua('cancel') },
  markCancelPublished: { numberOfKeys: 1, lua: lua('cancel-published') },
  holdKey: { numberOfKeys: 3, lua: lua('hold-key') },
  takeLease: { numberOfKeys: 2, lua: lua('lease') },
});
