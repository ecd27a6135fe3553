import type { Queue } from 'bullmq';
import { type Request, type Response, Router } from 'express';
import { parseEventId } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import type { Subscriber } from '../../shared/channel/subscriber.js';
import type { Config } from '../../shared/config.js';
import type { Connection } from '../../shared/connection.js';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore } from '../../shared/files/store.js';
import type { Registry } from '../../shared/registry.js';
import { type Access, jobNotFound } from '../access.js';
import { checkAnonymousKey, createIdempotency } from '../jobs/idempotency.js';
import { sendResult } from '../jobs/result.js';
import { createJobStarter, newJobId } from '../jobs/start.js';
import { jobLinks, jobView, readProgress } from '../jobs/view.js';
import { methods } from '../problem.js';
import type { Viewers } from '../stream/viewers.js';

export interface JobRoutesOptions {
  config: Config;
  connection: Connection;
  queue: Queue;
  registry: Registry;
  store: FileStore;
  access: Access;
  viewers: Viewers;
  subscriber: Subscriber;
}

/** `/v1/jobs`: start a job, look at it, watch it, fetch its result. */
export function jobRoutes(options: JobRoutesOptions): Router {
  const { config, connection, queue, registry, store, access, viewers } = options;
  const { redis, publisher, lifecycle, readJob } = connection;
  const starter = createJobStarter({ queue, publisher, registry, store });
  const idempotency = createIdempotency(redis, config.KEY_PREFIX, config.IDEMPOTENCY_TTL_MS);
  const router = Router();

  router.route('/').all(methods('POST')).post(startJob);
  router.route('/:id').all(methods('GET')).get(showJob);
  router.route('/:id/events').all(methods('GET')).get(watchJob);
  router.route('/:id/result').all(methods('GET')).get(showResult);
  return router;

  async function startJob(req: Request, res: Response): Promise<void> {
    const header = req.get('idempotency-key');
    const key = header === undefined ? undefined : checkAnonymousKey(header);
    const request = await starter.check(req.body);
    const use = key
      ? await idempotency.claim(key, req.body, newJobId())
      : { jobId: newJobId(), queued: false };
    if (!use.queued) {
      await starter.start(use.jobId, request);
      if (key) await idempotency.confirm(key);
    }
    const job = await readJob(use.jobId);
    const links = jobLinks(use.jobId);
    const token = await access.grant(req, res, use.jobId);
    res
      .status(202)
      .location(links.self)
      .json({ id: use.jobId, name: request.definition.name, state: job?.state ?? 'waiting', links, token });
  }

  async function showJob(req: Request, res: Response): Promise<void> {
    const job = await readJob(await access.authorize(req));
    if (!job) throw jobNotFound();
    res
      .set('Cache-Control', 'no-store')
      .json(jobView(job, await readProgress(redis, config.KEY_PREFIX, job)));
  }

  async function showResult(req: Request, res: Response): Promise<void> {
    const job = await readJob(await access.authorize(req));
    if (!job) throw jobNotFound();
    await sendResult(req, res, job, store);
  }

  async function watchJob(req: Request, res: Response): Promise<void> {
    const jobId = await access.authorize(req);
    if (!req.accepts('text/event-stream')) {
      throw new HeadwayError('not-acceptable', 'This is a stream: accept text/event-stream.');
    }
    const { job, epoch, end } = await lifecycle.reconcile(jobId);
    if (!job && !epoch) throw jobNotFound();
    const lastEventId = req.get('last-event-id') || (req.query.lastEventId as string | undefined);
    const seen = typeof lastEventId === 'string' ? parseEventId(lastEventId) : undefined;
    if (seen && end !== undefined && seen.epoch === epoch && seen.offset >= end) {
      // It has seen everything; by the standard this answer stops a browser from reconnecting.
      res.status(204).end();
      return;
    }
    if (req.method === 'HEAD') {
      res
        .set({
          'Content-Type': 'text/event-stream; charset=utf-8',
          'Cache-Control': 'no-cache, no-transform',
        })
        .end();
      return;
    }
    viewers.open(req, res, jobChannel(jobId), seen ? lastEventId : undefined);
  }
}
