import { recordLua } from '../../shared/job-index/scripts.js';
import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The commands of the scripts of limits. Arguments and replies are described at the top of each Lua file. */
export interface LimitCommands {
  shareOpen(keys: number, ...args: Array<string | number>): Promise<string[]>;
  takeUnits(keys: number, ...args: Array<string | number>): Promise<number[]>;
  reserveJobs(
    keys: number,
    ...args: Array<string | number>
  ): Promise<Array<[unfinished: number, active: number, allowed: string]>>;
  countShard(...args: string[]): Promise<[unfinished: number, active: number, ...states: string[]]>;
}

const lua = luaBeside(import.meta.url);

export const limitScripts = defineScripts<LimitCommands>({
  shareOpen: { lua: lua('share-open') },
  takeUnits: { lua: lua('take') },
  countShard: { numberOfKeys: 1, lua: [recordLua, lua('count-shard')].join('\n') },
  reserveJobs: { lua: [recordLua, lua('reserve')].join('\n') },
});
