import { indexKeys, setsFor } from '../../shared/job-index/keys.js';
import { JOB_STATES, type JobState } from '../../shared/jobs/states.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';

/** The number of jobs in each state. States without jobs are left out. */
export type StateCounts = Partial<Record<JobState, number>>;

/** The numbers of an owner's jobs: by state, and by kind and state. */
export interface OwnerCounts {
  states: StateCounts;
  names: Record<string, StateCounts>;
}

/** Counts the jobs of an owner in the index; of all owners when it is `undefined`. */
export type CountReader = (owner: string | undefined, names: string[]) => Promise<OwnerCounts>;

export function createCountReader(redis: RedisClient, keyspace: Keyspace): CountReader {
  const { sets } = indexKeys(keyspace);
  return async (owner, names) => {
    const filter = { owner, states: JOB_STATES, tags: [] };
    const groups = [
      setsFor(sets, { ...filter, names: [] }).byName,
      ...names.map((name) => setsFor(sets, { ...filter, names: [name] }).byName),
    ];
    const counts = await Promise.all(
      groups.map(async (keys) => {
        const sizes = await Promise.all(keys.map((key) => redis.zcard(key)));
        return Object.fromEntries(
          JOB_STATES.flatMap((state, i) => (sizes[i] ? [[state, sizes[i]]] : [])),
        ) as StateCounts;
      }),
    );
    const [states = {}, ...byName] = counts;
    return { states, names: Object.fromEntries(names.map((name, i) => [name, byName[i] ?? {}])) };
  };
}
