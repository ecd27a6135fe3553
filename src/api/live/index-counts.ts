import type { Redis } from 'ioredis';
import { indexKeys, setsFor } from '../../shared/job-index/keys.js';
import { JOB_STATES, type JobState } from '../../shared/jobs/states.js';

/** How many jobs are in each state; states without any are left out. */
export type StateCounts = Partial<Record<JobState, number>>;

/** The counts of a scope, by state and by kind and state. */
export interface ScopeCounts {
  states: StateCounts;
  names: Record<string, StateCounts>;
}

/** Counts the jobs of an owner (`undefined`: of everybody) in the index. */
export type CountReader = (owner: string | undefined, names: string[]) => Promise<ScopeCounts>;

export function createCountReader(redis: Redis, queuePrefix: string): CountReader {
  const { sets } = indexKeys(queuePrefix);
  return async (owner, names) => {
    const filter = { owner, states: JOB_STATES, tags: [] };
    const groups = [
      setsFor(sets, { ...filter, names: [] }).byName,
      ...names.map((name) => setsFor(sets, { ...filter, names: [name] }).byName),
    ];
    const counted = await Promise.all(
      groups.map(async (keys) => {
        const sizes = await Promise.all(keys.map((key) => redis.zcard(key)));
        return Object.fromEntries(
          JOB_STATES.flatMap((state, i) => (sizes[i] ? [[state, sizes[i]]] : [])),
        ) as StateCounts;
      }),
    );
    const [states = {}, ...byName] = counted;
    return { states, names: Object.fromEntries(names.map((name, i) => [name, byName[i]!])) };
  };
}
