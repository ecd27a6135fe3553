import { defineScripts, luaBeside } from '../redis/scripts.js';

/** The commands of the dashboard's scripts. Arguments and replies are described at the top of each Lua file. */
export interface DashboardCommands {
  countMinutes(keys: number, ...args: Array<string | number>): Promise<unknown>;
  processBeat(...args: Array<string | number>): Promise<string[]>;
}

const lua = luaBeside(import.meta.url);

export const dashboardScripts = defineScripts<DashboardCommands>({
  countMinutes: { lua: lua('count') },
  processBeat: { numberOfKeys: 4, lua: lua('beat') },
});
