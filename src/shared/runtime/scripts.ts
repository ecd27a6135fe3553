import { channelScripts } from '../channel/scripts.js';
import { dashboardScripts } from '../dashboard/scripts.js';
import { formatScripts } from '../format/scripts.js';
import { jobIndexScripts } from '../job-index/scripts.js';
import { lifecycleScripts } from '../lifecycle/scripts.js';
import type { LuaScript } from '../redis/scripts.js';
import { scheduleScripts } from '../schedules/scripts.js';

/** The scripts that API and worker both call. Every connection for commands is opened with them. */
export const sharedScripts: Record<string, LuaScript> = {
  ...channelScripts,
  ...dashboardScripts,
  ...formatScripts,
  ...jobIndexScripts,
  ...lifecycleScripts,
  ...scheduleScripts,
};
