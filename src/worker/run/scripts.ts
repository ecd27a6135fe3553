import { defineScripts, type LuaScript, luaBeside } from '../../shared/redis/scripts.js';
import { estimateScripts } from '../estimates/scripts.js';
import { reportingScripts } from '../reporting/scripts.js';

/** The commands of the scripts in this folder. The Lua files describe the arguments at the top. */
export interface RunCommands {
  noteLosses(key: string, now: number | '', most: number | ''): Promise<void>;
  takeRate(key: string, max: number, perMs: number): Promise<[wait: number, end: number]>;
  returnRate(key: string, end: number): Promise<void>;
}

const lua = luaBeside(import.meta.url);

export const runScripts = defineScripts<RunCommands>({
  noteLosses: { numberOfKeys: 1, lua: lua('note-losses') },
  takeRate: { numberOfKeys: 1, lua: lua('take-rate') },
  returnRate: { numberOfKeys: 1, lua: lua('return-rate') },
});

/** The scripts of a worker's connections, in addition to the shared scripts. */
export const workerScripts: Record<string, LuaScript> = {
  ...estimateScripts,
  ...reportingScripts,
  ...runScripts,
};
