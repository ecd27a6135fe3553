import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The command of the reports' script. Arguments and reply are described at the top of the Lua file. */
export interface ReportingCommands {
  logJob(...args: Array<string | number>): Promise<number | null>;
}

const lua = luaBeside(import.meta.url);

export const reportingScripts = defineScripts<ReportingCommands>({
  logJob: { numberOfKeys: 2, lua: lua('log') },
});
