import type { Cluster, Redis } from 'ioredis';
import type { JobState } from '../jobs/states.js';
import { indexKeys } from './keys.js';

/** What is remembered of a job that is not kept any more. Times are ms since 1970. */
export interface Tombstone {
  name: string;
  /** Its last one. */
  state: JobState;
  createdAt: number;
  /** Unknown of a job that another tool has removed, as is `attempt`. */
  finishedAt?: number;
  attempt?: number;
  /** The principal that started it. */
  owner?: string;
}

/** `undefined` for a job that is still there, never was, or is forgotten. */
export type TombstoneReader = (jobId: string) => Promise<Tombstone | undefined>;

export function createTombstoneReader(redis: Redis | Cluster, queuePrefix: string): TombstoneReader {
  const keys = indexKeys(queuePrefix);
  return async (jobId) => {
    const found = await redis.get(keys.gone(jobId));
    return found ? (JSON.parse(found) as Tombstone) : undefined;
  };
}
