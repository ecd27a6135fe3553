import { defineScripts, luaBeside } from '../redis/scripts.js';

/** The commands of the schedules' scripts. Arguments and replies are described at the top of each Lua file. */
export interface ScheduleCommands {
  scheduleSave(...args: Array<string | number>): Promise<string>;
  scheduleMarkSynced(...args: Array<string | number>): Promise<number>;
  scheduleCountRun(...args: Array<string | number>): Promise<number>;
}

const lua = luaBeside(import.meta.url);

export const scheduleScripts = defineScripts<ScheduleCommands>({
  scheduleSave: { numberOfKeys: 6, lua: lua('save') },
  scheduleMarkSynced: { numberOfKeys: 2, lua: lua('mark-synced') },
  scheduleCountRun: { numberOfKeys: 3, lua: lua('count-run') },
});
