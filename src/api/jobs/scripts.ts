import { defineScripts, luaBeside } from '../../shared/redis/scripts.js';

/** The command of the job list's script. Arguments and reply are described at the top of the Lua file. */
export interface JobListCommands {
  indexPage(...args: Array<string | number>): Promise<string[]>;
}

const lua = luaBeside(import.meta.url);

/** The scripts that the connections of an API process know in addition to the shared ones. */
export const apiScripts = defineScripts<JobListCommands>({
  indexPage: { numberOfKeys: 1, lua: lua('page') },
});
