import { type Request, type Response, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import type { FileStore } from '../../shared/files/store.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import { isVisitor } from '../../shared/jobs/limits.js';
import type { OpenQueue, QueuePlan } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import { createKeyHolder, retryFailed } from '../../shared/lifecycle/retry.js';
import { isFinished } from '../../shared/lifecycle/snapshot.js';
import type { Config } from '../../shared/process/config.js';
import type { Connection } from '../../shared/runtime/connection.js';
import type { Access } from '../auth/access.js';
import { basePath } from '../http/base-path.js';
import { jsonBody } from '../http/body.js';
import { methods } from '../http/problem.js';
import { noteInEntry, requestIdOf } from '../http/request-entry.js';
import type { JobActions } from '../jobs/actions.js';
import { missingJob } from '../jobs/answers.js';
import { includesData, readJobData } from '../jobs/data.js';
import { parseListQuery } from '../jobs/list-query.js';
import { sendResult } from '../jobs/result.js';
import { createRetryCheck } from '../jobs/retry.js';
import type { JobStarter } from '../jobs/start.js';
import type { LimitedStarter } from '../jobs/start-limited.js';
import type { JobLimits } from '../limits/jobs.js';
import type { Limiter } from '../limits/limiter.js';
import type { StreamDoor } from '../stream/door.js';
import { followsRetries, type OpenJobChannel } from '../stream/job-channel.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { ChannelViewers } from '../stream/viewers.js';
import { createWatchTracer } from '../stream/watch-trace.js';

export interface JobRoutesOptions {
  config: Config;
  connection: Connection;
  openQueue: OpenQueue;
  plan: QueuePlan;
  registry: Registry;
  store: FileStore;
  access: Access;
  viewers: ChannelViewers;
  streams: StreamDoor;
  openJobChannel: OpenJobChannel;
  actions: JobActions;
  starter: JobStarter;
  limitedStarter: LimitedStarter;
  limiter: Limiter;
  jobLimits: JobLimits;
  readTombstone: TombstoneReader;
}

/** `/v1/jobs`: start, list, show, watch, cancel and retry jobs, and get their results. */
export function jobRoutes(options: JobRoutesOptions): Router {
  const {
    config,
    connection,
    openQueue,
    store,
    access,
    viewers,
    streams,
    openJobChannel,
    readTombstone,
    actions,
    limiter,
    jobLimits,
  } = options;
  const { redis, reconciler, readJob, keyspace } = connection;
  const checkRetry = createRetryCheck({
    registry: options.registry,
    readJob,
    openQueue,
    defaultTimeoutMs: config.JOB_TIMEOUT_MS,
  });
  const holdKey = createKeyHolder(redis, keyspace);
  const traceWatch = createWatchTracer(redis, keyspace);
  const router = Router();

  // The other routes have bodies. Streams come first, because thousands of viewers may connect at once.
  router.route('/:id/events').all(methods('GET')).get(streams.handler(watchJob));
  router.use(jsonBody(config.BODY_MAX_BYTES));
  router.route('/').all(methods('GET', 'POST')).get(showJobs).post(startJob);
  router.route('/:id').all(methods('GET')).get(showJob);
  router.route('/:id/result').all(methods('GET')).get(showResult);
  router.route('/:id/cancel').all(methods('POST')).post(cancelJob);
  router.route('/:id/retry').all(methods('POST')).post(retryJob);
  return router;

  async function startJob(req: Request, res: Response): Promise<void> {
    const caller = await access.admit(req, res);
    const job = await actions.start({
      body: req.body,
      caller,
      limited: limiter.caller(req, caller),
      key: req.get('idempotency-key'),
      requestId: requestIdOf(req),
      base: basePath(req),
    });
    noteInEntry(req, { jobId: job.id });
    res.status(202).location(job.links.self).json(job);
  }

  async function showJobs(req: Request, res: Response): Promise<void> {
    const query = await parseListQuery(req.query, config.LIST_MAX_VALUES);
    const caller = await access.principal(req);
    const owner = query.owner === 'me' ? caller?.id : query.owner;
    const foreign = owner !== undefined && owner !== caller?.id;
    if (foreign) await access.requireAdmin(req);
    const allOwners = caller?.admin && query.owner === undefined;
    const page =
      caller || foreign
        ? await actions.list(query, allOwners ? undefined : (owner ?? caller?.id), basePath(req))
        : { jobs: [] };
    res.set('Cache-Control', 'no-store').json(page);
  }

  async function showJob(req: Request, res: Response): Promise<void> {
    const { jobId } = await access.authorize(req);
    const wantsData = includesData(req);
    const job = await readJob(jobId);
    if (!job) throw await missingJob(readTombstone, jobId);
    // Of all who may access the job, only admins may see its data: with Bull Board, they can see it anyway.
    const showsData = wantsData && (await access.principal(req))?.admin === true;
    const [view, data] = await Promise.all([
      actions.view(job, basePath(req)),
      showsData ? readJobData(redis, keyspace, jobId) : undefined,
    ]);
    res.set('Cache-Control', 'no-store').json({ ...view, ...(data === undefined ? {} : { data }) });
  }

  async function showResult(req: Request, res: Response): Promise<void> {
    const { jobId } = await access.authorize(req);
    const job = await readJob(jobId);
    if (!job) throw await missingJob(readTombstone, jobId);
    await sendResult(req, res, job, store);
  }

  async function cancelJob(req: Request, res: Response): Promise<void> {
    const { jobId } = await access.authorize(req);
    const job = await actions.cancel(jobId);
    res.status(job.state === 'cancelled' ? 200 : 202).json(await actions.view(job, basePath(req)));
  }

  async function retryJob(req: Request, res: Response): Promise<void> {
    const { jobId } = await access.authorize(req);
    // The end of the job has to be published before it runs again.
    const { job } = await reconciler.reconcile(jobId);
    if (!job) throw await missingJob(readTombstone, jobId);
    // A visitor's job runs again only for callers who may start jobs. The token of another job is permission enough.
    const mayRun = isVisitor(job.settings.owner) ? access.requireStarter : access.principal;
    await checkRetry(job, await mayRun(req));
    if (job.state !== 'failed' && job.state !== 'cancelled') {
      const why = isFinished(job) ? 'has completed' : `is ${job.state}`;
      throw new HeadwayError('not-failed', `The job ${why}. Only failed and cancelled jobs can be retried.`);
    }
    const principal = await access.principal(req);
    const caller = limiter.caller(req, principal);
    const owner = principal?.id ?? '';
    await jobLimits.reserve({ caller, owner, jobs: [{ id: jobId }], retry: true });
    await retryFailed(openQueue, jobId);
    await holdKey(jobId);
    const { job: retried } = await reconciler.reconcile(jobId);
    res.status(202).json(await actions.view(retried ?? job, basePath(req)));
  }

  async function watchJob(req: Request, stream: PendingStream): Promise<void> {
    const { jobId, credential } = await access.authorize(req);
    stream.requireAccepted();
    const stays = followsRetries(req);
    const [position] = stream.positions(1);
    const channel = await openJobChannel(jobId, position, stays);
    await viewers.answer(stream, [channel], credential ? [credential] : []);
    traceWatch(stream, [jobId]);
  }
}
