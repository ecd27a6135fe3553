import type { HeldFiles } from '../files/sweep.js';
import type { Keyspace } from '../keyspace.js';
import { isFinished, type SnapshotReader } from '../lifecycle/snapshot.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeysByShard } from './keys.js';
import { jobIndexScripts } from './scripts.js';

export interface HeldFilesOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  readJob: SnapshotReader;
}

/**
 * Creates the function that checks whether a job holds a file: a job that has not completed uses it, or the job that creates
 * it has not ended. The index records the files of jobs (`job-index/scripts/files.lua`).
 */
export function createHeldFiles({ redis, keyspace, readJob }: HeldFilesOptions): HeldFiles {
  const keysOf = indexKeysByShard(keyspace);
  const scripts = scriptsOf(redis, jobIndexScripts);

  async function isHeldIn(shard: number, fileId: string): Promise<boolean> {
    for (;;) {
      const held = await scripts.fileIsHeld(keysOf(shard).files, fileId, keyspace.prefixOf(shard));
      if (held >= 0) return held === 1;
    }
  }

  return async (fileId, createdBy) => {
    const held = await Promise.all(keyspace.shards.all.map((shard) => isHeldIn(shard, fileId)));
    if (held.includes(true)) return true;
    if (createdBy === undefined) return false;
    const creator = await readJob(createdBy);
    return creator !== undefined && !isFinished(creator);
  };
}
