import type { Cluster, Redis } from 'ioredis';
import { scriptsOf } from '../redis/scripts.js';
import { dashboardKeys } from './keys.js';
import { dashboardScripts } from './scripts.js';
import type { ProcessView } from './views.js';

/** A process that says nothing for this long counts as gone, in ms. */
export const GONE_AFTER_MS = 5000;

/** The processes that there are. */
export interface ProcessPresence {
  /** Says how this process is. @returns whether somebody looks at a dashboard */
  beat(view: ProcessView): Promise<boolean>;
  /** Says that this process looks at a dashboard, for the next `forMs`. @returns all processes */
  look(view: ProcessView, forMs: number): Promise<ProcessView[]>;
  /** Says that this process ends. */
  leave(id: string): Promise<void>;
}

export function createProcessPresence(redis: Redis | Cluster, prefix: string): ProcessPresence {
  const { processes, deadlines, watched, slots } = dashboardKeys(prefix);
  const scripts = scriptsOf(redis, dashboardScripts);
  const call = (id: string, said: string, lookMs: number): Promise<string[]> =>
    scripts.processBeat(processes, deadlines, watched, slots, id, said, GONE_AFTER_MS, lookMs);
  return {
    async beat(view) {
      return (await call(view.id, JSON.stringify(view), 0))[0] === '1';
    },
    async look(view, forMs) {
      const [, ...words] = await call(view.id, JSON.stringify(view), forMs);
      return words.flatMap((word, i) => (i % 2 === 1 ? [JSON.parse(word) as ProcessView] : []));
    },
    async leave(id) {
      await call(id, '', 0);
    },
  };
}
