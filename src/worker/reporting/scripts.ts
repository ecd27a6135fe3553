import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The commands of the scripts in this folder. The Lua files describe arguments and replies at the top. */
export interface ReportingCommands {
  logJob(...args: Array<string | number>): Promise<number | null>;
}

const lua = luaBeside(import.meta.url);

export const reportingScripts = defineScripts<ReportingCommands>({
  logJob: { numberOfKeys: 2, lua: lua('log') },
});
