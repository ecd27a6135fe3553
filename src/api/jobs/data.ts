import type { Request } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { parseForeign } from '../../shared/jobs/foreign-json.js';
import { requireAddress } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';

/** Whether a request for a job asks for its data (`?include=data`). @throws HeadwayError `invalid-request` for another value */
export function includesData(req: Request): boolean {
  const { include } = req.query;
  if (include !== undefined && include !== 'data') {
    throw new HeadwayError('invalid-request', 'include must be data.');
  }
  return include === 'data';
}

/** Reads the data of a job from BullMQ; `undefined` if the job is gone, or another tool wrote no JSON. */
export async function readJobData(redis: RedisClient, keyspace: Keyspace, jobId: string): Promise<unknown> {
  const { queue, id } = requireAddress(jobId);
  return parseForeign((await redis.hget(keyspace.queueKey(queue, id), 'data')) ?? undefined);
}
