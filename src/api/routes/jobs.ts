import { type Request, type Response, Router } from 'express';
import { parseEventId } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import type { Subscriber } from '../../shared/channel/subscriber.js';
import type { Config } from '../../shared/config.js';
import type { Connection } from '../../shared/connection.js';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore } from '../../shared/files/store.js';
import type { Expiry } from '../../shared/lifecycle/expiry.js';
import { retryFailed } from '../../shared/lifecycle/retry.js';
import { isFinished } from '../../shared/lifecycle/snapshot.js';
import type { Withdrawal } from '../../shared/lifecycle/withdraw.js';
import { newJobId, type OpenQueue, type QueuePlan } from '../../shared/queues.js';
import type { Registry } from '../../shared/registry.js';
import { type Access, jobNotFound } from '../access.js';
import { createIdempotency, scopedKey } from '../jobs/idempotency.js';
import { sendResult } from '../jobs/result.js';
import { createJobStarter } from '../jobs/start.js';
import { jobLinks, jobView, readProgress } from '../jobs/view.js';
import { methods } from '../problem.js';
import type { Viewers } from '../stream/viewers.js';

export interface JobRoutesOptions {
  config: Config;
  connection: Connection;
  openQueue: OpenQueue;
  plan: QueuePlan;
  registry: Registry;
  store: FileStore;
  access: Access;
  viewers: Viewers;
  subscriber: Subscriber;
  withdrawal: Withdrawal;
  expiry: Expiry;
}

/** `/v1/jobs`: start a job, look at it, watch it, fetch its result. */
export function jobRoutes(options: JobRoutesOptions): Router {
  const { config, connection, openQueue, plan, registry, store, access, viewers, withdrawal, expiry } =
    options;
  const { redis, publisher, lifecycle, readJob } = connection;
  const starter = createJobStarter({ openQueue, publisher, registry, store, expiry });
  const idempotency = createIdempotency(redis, config.KEY_PREFIX, config.IDEMPOTENCY_TTL_MS);
  const router = Router();

  router.route('/').all(methods('POST')).post(startJob);
  router.route('/:id').all(methods('GET')).get(showJob);
  router.route('/:id/events').all(methods('GET')).get(watchJob);
  router.route('/:id/result').all(methods('GET')).get(showResult);
  router.route('/:id/cancel').all(methods('POST')).post(cancelJob);
  router.route('/:id/retry').all(methods('POST')).post(retryJob);
  return router;

  async function startJob(req: Request, res: Response): Promise<void> {
    const header = req.get('idempotency-key');
    const caller = await access.admit(req, res);
    const key = header === undefined ? undefined : scopedKey(header, caller);
    const request = await starter.check(req.body, caller);
    const newId = newJobId(plan.of(request.definition.name));
    const use = key ? await idempotency.claim(key, req.body, newId) : { jobId: newId, queued: false };
    let id = use.jobId;
    if (!use.queued) {
      id = await starter.start(use.jobId, request);
      if (key) await idempotency.confirm(key, id);
    }
    const job = await readJob(id);
    const links = jobLinks(id);
    const token = await access.grant(req, res, id);
    res
      .status(202)
      .location(links.self)
      .json({
        id,
        name: request.definition.name,
        state: job?.state ?? 'waiting',
        ...(id === use.jobId ? {} : { deduplicated: true }),
        links,
        token,
      });
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

  async function cancelJob(req: Request, res: Response): Promise<void> {
    const jobId = await access.authorize(req);
    const job = await withdrawal.cancel(jobId);
    if (!job) throw jobNotFound();
    if (job.state === 'completed' || job.state === 'failed') {
      throw new HeadwayError('already-finished', `The job has already ${job.state}; nothing was changed.`);
    }
    res.status(job.state === 'cancelled' ? 200 : 202).json(jobView(job, null));
  }

  async function retryJob(req: Request, res: Response): Promise<void> {
    const jobId = await access.authorize(req);
    // What it came to has to be told before it runs again.
    const { job } = await lifecycle.reconcile(jobId);
    if (!job) throw jobNotFound();
    if (job.state !== 'failed' && job.state !== 'cancelled') {
      const why = isFinished(job) ? 'has completed' : `is ${job.state}`;
      throw new HeadwayError('not-failed', `The job ${why}; only a failed or cancelled one can be retried.`);
    }
    await retryFailed(openQueue, jobId);
    const { job: now } = await lifecycle.reconcile(jobId);
    res.status(202).json(jobView(now ?? job, null));
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
