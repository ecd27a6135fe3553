import type { Cluster, Redis } from 'ioredis';
import type { HeldFiles } from '../files/store.js';
import { isFinished, type SnapshotReader } from '../lifecycle/snapshot.js';
import { scriptsOf } from '../redis/scripts.js';
import { indexKeys } from './keys.js';
import { jobIndexScripts } from './scripts.js';

export interface HeldFilesOptions {
  redis: Redis | Cluster;
  queuePrefix: string;
  readJob: SnapshotReader;
}

/** Looks up which files are held. The index of jobs knows which job names which file (`job-index/scripts/files.lua`). */
export function createHeldFiles({ redis, queuePrefix, readJob }: HeldFilesOptions): HeldFiles {
  const { files } = indexKeys(queuePrefix);
  const scripts = scriptsOf(redis, jobIndexScripts);
  return async (fileId, madeBy) => {
    for (;;) {
      const held = await scripts.fileIsHeld(files, fileId, queuePrefix);
      if (held === 1) return true;
      if (held === 0) break;
    }
    if (madeBy === undefined) return false;
    const maker = await readJob(madeBy);
    return maker !== undefined && !isFinished(maker);
  };
}
