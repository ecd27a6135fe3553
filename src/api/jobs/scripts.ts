import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The command of the job list's script. Arguments and reply are described at the top of the Lua file. */
export interface JobListCommands {
  indexPage(...args: Array<string | number>): Promise<string[]>;
}

const lua = luaBeside(import.meta.url);

/** The scripts that an API process's connection knows beside the shared ones. */
export const apiScripts = defineScripts<JobListCommands>({
  indexPage: { numberOfKeys: 1, lua: lua('page') },
});
