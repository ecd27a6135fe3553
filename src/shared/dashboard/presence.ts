import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { dashboardKeys } from './keys.js';
import { dashboardScripts } from './scripts.js';
import type { ProcessView } from './views.js';

/** How long after its newest heartbeat a process counts as gone, in ms. */
export const EXPIRES_AFTER_MS = 5000;

/** The register of processes. */
export interface ProcessPresence {
  /** Sends the heartbeat of this process. @returns whether a dashboard is open anywhere */
  beat(view: ProcessView): Promise<boolean>;
  /** Sends a heartbeat and marks the dashboard as open for the next `forMs`. @returns the heartbeats of all processes */
  watch(view: ProcessView, forMs: number): Promise<ProcessView[]>;
  /** Returns the heartbeats of all processes. Those of a process that was killed are among them for a few seconds. */
  all(): Promise<ProcessView[]>;
  /** Removes this process. */
  leave(id: string): Promise<void>;
}

export function createProcessPresence(redis: RedisClient, keyspace: Keyspace): ProcessPresence {
  const { processes, deadlines, watched, slots } = dashboardKeys(keyspace);
  const scripts = scriptsOf(redis, dashboardScripts);
  const call = (id: string, view: string, watchMs: number): Promise<string[]> =>
    scripts.processBeat(processes, deadlines, watched, slots, id, view, EXPIRES_AFTER_MS, watchMs);
  return {
    async beat(view) {
      return (await call(view.id, JSON.stringify(view), 0))[0] === '1';
    },
    async watch(view, forMs) {
      const [, ...entries] = await call(view.id, JSON.stringify(view), forMs);
      return entries.flatMap((entry, i) => (i % 2 === 1 ? [JSON.parse(entry) as ProcessView] : []));
    },
    async all() {
      return (await redis.hvals(processes)).map((view) => JSON.parse(view) as ProcessView);
    },
    async leave(id) {
      await call(id, '', 0);
    },
  };
}
