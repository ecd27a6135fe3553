import { type JobReply, readJobLua } from '../lifecycle/scripts.js';
import { defineScripts, luaBeside } from '../redis/scripts.js';

/** The commands of the job index's scripts. Arguments and replies are described at the top of each Lua file. */
export interface JobIndexCommands {
  trackJobs(keys: number, ...args: Array<string | number>): Promise<Array<JobReply | Error | null>>;
  indexNewJobs(keys: number, ...args: string[]): Promise<string[]>;
  holdJobFiles(...args: string[]): Promise<null>;
  jobsUpToDate(keys: number, ...args: string[]): Promise<Array<string | null>>;
  fileIsHeld(...args: string[]): Promise<number>;
  forgetJob(...args: Array<string | number>): Promise<number>;
}

const lua = luaBeside(import.meta.url);
/** Redis has no `require`, so shared functions are prepended to each script that uses them. */
const [record, files] = [lua('record'), lua('files')];
/** The functions that read a record, for scripts of other folders. */
export const recordLua = record;

export const jobIndexScripts = defineScripts<JobIndexCommands>({
  trackJobs: {
    lua: [
      ...[record, files, readJobLua],
      ...['local function track(KEYS, ARGV)', lua('track'), 'end', lua('track-many')],
    ].join('\n'),
  },
  indexNewJobs: { lua: [record, files, lua('new')].join('\n') },
  holdJobFiles: { numberOfKeys: 2, lua: [files, lua('hold')].join('\n') },
  jobsUpToDate: { lua: [record, lua('up-to-date')].join('\n') },
  fileIsHeld: { numberOfKeys: 1, lua: lua('held') },
  forgetJob: { numberOfKeys: 7, lua: [record, files, lua('forget')].join('\n') },
});
