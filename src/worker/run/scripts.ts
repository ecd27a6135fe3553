import { defineScripts, type LuaScript, luaBeside } from '../../shared/redis/scripts.js';
import { reportingScripts } from '../reporting/scripts.js';

/** The command of the runs' script. Arguments are described at the top of the Lua file. */
export interface RunCommands {
  noteLosses(key: string, now: number | '', most: number | ''): Promise<void>;
}

const lua = luaBeside(import.meta.url);

export const runScripts = defineScripts<RunCommands>({
  noteLosses: { numberOfKeys: 1, lua: lua('note-losses') },
});

/** The scripts that a worker's connections know beside the shared ones. */
export const workerScripts: Record<string, LuaScript> = { ...reportingScripts, ...runScripts };
