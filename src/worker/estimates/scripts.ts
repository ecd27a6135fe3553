import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The commands of the scripts in this folder. The Lua files describe the arguments at the top. */
export interface EstimateCommands {
  noteRuns(keys: number, ...args: Array<string | number>): Promise<string[][]>;
}

const lua = luaBeside(import.meta.url);

export const estimateScripts = defineScripts<EstimateCommands>({ noteRuns: { lua: lua('note-runs') } });
