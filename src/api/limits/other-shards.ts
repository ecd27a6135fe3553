import { byShard, indexKeysByShard } from '../../shared/job-index/keys.js';
import { addressOf } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { shardOf } from '../../shared/shards.js';
import { limitScripts } from './scripts.js';

/** As many entries of a caller's set are read as in `reserve.lua`. */
const LONGEST_READ = 10_000;

/** Counts and states in the other shards for `reserve.lua`, because a script reads only one shard. */
interface OtherShards {
  /** The jobs of the owner in these shards. */
  unfinished: number;
  active: number;
  /** The states of the caller's newest jobs, and of those that are about to be queued, by id. */
  states: Record<string, string>;
  /** The ids of jobs that are duplicates. */
  duplicates: Record<string, true>;
}

/**
 * Reads counts and states in the other shards for a reservation. Each shard is read at once, and before the reservation: a
 * job that another process starts meanwhile is in the set of the caller.
 * @param set the set of the caller
 * @param scope the digest of the owner, or "" for an address
 */
export type OtherShardsReader = (
  set: string,
  scope: string,
  jobs: ReadonlyArray<{ id: string; duplicateKey?: string | undefined }>,
) => Promise<OtherShards>;

export function createOtherShardsReader(redis: RedisClient, keyspace: Keyspace): OtherShardsReader {
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, limitScripts);

  return async (set, scope, jobs) => {
    const others = keyspace.shards.all.slice(1);
    const starting = await redis.zrange(set, '0', String(LONGEST_READ - 1));
    const ids = [...new Set([...starting, ...jobs.map(({ id }) => id)])];
    const inShards = byShard(
      ids.flatMap((id) => {
        const address = addressOf(id);
        return address && shardOf(address.queue) > 0 ? [{ id, address }] : [];
      }),
    );
    const result: OtherShards = { unfinished: 0, active: 0, states: {}, duplicates: {} };
    await Promise.all([
      ...others.map(async (shard) => {
        const { records, sets } = keysOf(shard);
        const asked = (inShards.get(shard) ?? []).map(({ id }) => id);
        const [unfinished, active, ...states] = await scripts.countShard(records, sets, scope, ...asked);
        result.unfinished += unfinished;
        result.active += active;
        for (const [i, id] of asked.entries()) if (states[i]) result.states[id] = states[i];
      }),
      ...jobs.map(async ({ id, duplicateKey }) => {
        if (!duplicateKey || shardOf(addressOf(id)?.queue ?? '') === 0) return;
        if ((await redis.exists(duplicateKey)) === 1) result.duplicates[id] = true;
      }),
    ]);
    return result;
  };
}
