import { indexKeysByShard, setsFor } from '../../shared/job-index/keys.js';
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
  const keysOf = indexKeysByShard(keyspace);

  /** Returns the sizes of sets, summed over the shards. @param keysIn returns the sets of a shard */
  async function sizes(keysIn: (sets: string) => string[]): Promise<number[]> {
    const ofShards = await Promise.all(
      keyspace.shards.all.map((shard) =>
        Promise.all(keysIn(keysOf(shard).sets).map((key) => redis.zcard(key))),
      ),
    );
    return ofShards.reduce((sums, counts) => sums.map((sum, i) => sum + (counts[i] ?? 0)));
  }

  return async (owner, names) => {
    const filter = { owner, states: JOB_STATES, tags: [] };
    const counts = await Promise.all(
      [[], ...names.map((name) => [name])].map(async (names) => {
        const found = await sizes((sets) => setsFor(sets, { ...filter, names }).byName);
        return Object.fromEntries(
          JOB_STATES.flatMap((state, i) => (found[i] ? [[state, found[i]]] : [])),
        ) as StateCounts;
      }),
    );
    const [states = {}, ...byName] = counts;
    return { states, names: Object.fromEntries(names.map((name, i) => [name, byName[i] ?? {}])) };
  };
}
