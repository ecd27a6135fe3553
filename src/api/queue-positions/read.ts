import { requireAddress } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { positionScripts } from './scripts.js';

/** How many of the next jobs of a queue are looked at. A job further back has at least this many before it. */
export const WINDOW = 500;
/** Maximum number of jobs in one call. */
const AT_ONCE = 200;

/** The position of a job in its queue. */
export interface Position {
  /** How many jobs are taken before it: 0 for the next job, `WINDOW` for that many or more. */
  before: number;
  /** Whether the job has a priority: jobs that come later may overtake it. */
  prioritized: boolean;
}

/**
 * Returns the positions of jobs of one queue. A job is absent if it does not wait, if its queue is paused, or if its position
 * is unknown. With several shards, workers take from several lists at a time: then nothing is known.
 * @param queue the queue in its shard
 */
export type PositionReader = (queue: string, jobIds: readonly string[]) => Promise<Map<string, Position>>;

export function createPositionReader(redis: RedisClient, keyspace: Keyspace): PositionReader {
  const scripts = scriptsOf(redis, positionScripts);

  return async (queue, jobIds) => {
    const positions = new Map<string, Position>();
    if (keyspace.shards.known > 1) return positions;
    const keys = ['wait', 'meta', 'prioritized'].map((name) => keyspace.queueKey(queue, name));
    for (let i = 0; i < jobIds.length; i += AT_ONCE) {
      const some = jobIds.slice(i, i + AT_ONCE);
      const reply = await scripts.readPositions(...keys, WINDOW, ...some.map((id) => requireAddress(id).id));
      for (const [j, jobId] of some.entries()) {
        const [before = -1, prioritized] = reply.slice(2 * j, 2 * j + 2);
        if (before >= 0) positions.set(jobId, { before, prioritized: prioritized === 1 });
      }
    }
    return positions;
  };
}
