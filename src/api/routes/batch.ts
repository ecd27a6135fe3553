import { type Request, type Response, Router } from 'express';
import { basePath } from '../http/base-path.js';
import { methods } from '../http/problem.js';
import { requestIdOf } from '../http/request-entry.js';
import { acceptedJob, createStateReader } from '../jobs/answers.js';
import { type BatchItem, createBatchStarter } from '../jobs/batch.js';
import { createIdempotency, scopedKey } from '../jobs/idempotency.js';
import { type Refusable, setRefusalHeaders } from '../limits/refusal.js';
import type { JobRoutesOptions } from './jobs.js';

/** `/v1/jobs:batch`: start many jobs with one request. */
export function batchRoutes(options: JobRoutesOptions): Router {
  const { config, connection, access, readTombstone, starter, limitedStarter, limiter } = options;
  const { redis, keyspace, trackJob } = connection;
  const readState = createStateReader(trackJob, readTombstone);
  const startBatch = createBatchStarter({
    starter,
    limitedStarter,
    shards: connection.keyspace.shards.placed,
    idempotency: createIdempotency(redis, keyspace, config.IDEMPOTENCY_TTL_MS),
  });
  const router = Router();
  router.route('/').all(methods('POST')).post(start);
  return router;

  async function start(req: Request, res: Response): Promise<void> {
    const header = req.get('idempotency-key');
    const caller = await access.admit(req, res);
    const key = header === undefined ? undefined : scopedKey(header, caller);
    const limited = limiter.caller(req, caller);
    const items = await startBatch(req.body, caller, limited, key, requestIdOf(req));
    const jobs = await Promise.all(
      items.map(async (item) => {
        if (item.error) return item;
        const { id, name, deduplicated } = item;
        const state = item.state ?? (await readState(id));
        const job = acceptedJob(id, name, state, basePath(req), deduplicated);
        return { ...job, token: access.token(id) };
      }),
    );
    const refusal = soonestRefusal(items);
    if (refusal) setRefusalHeaders(res, refusal);
    res.status(202).json({ jobs });
  }
}

/**
 * Returns the refusal after which a job of the batch may be accepted first, if no job was accepted and at least one was refused
 * because of a limit. The wait of each job is in its error.
 */
function soonestRefusal(items: BatchItem[]): Refusable | undefined {
  const errors = items.map(({ error }) => error).filter((error) => error !== undefined);
  if (errors.length < items.length) return undefined;
  const waitOf = ({ retryAfterMs }: Record<string, unknown>): number =>
    Number(retryAfterMs ?? Number.POSITIVE_INFINITY);
  const soonest = errors.reduce((one, other) => (waitOf(other) < waitOf(one) ? other : one));
  return { members: soonest };
}
