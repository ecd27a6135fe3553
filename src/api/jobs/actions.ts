import { HeadwayError } from '../../shared/errors.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import type { Canceller } from '../../shared/lifecycle/cancel.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import { jobView, readProgress } from '../../shared/lifecycle/view.js';
import type { Config } from '../../shared/process/config.js';
import type { Connection } from '../../shared/runtime/connection.js';
import type { Enqueued } from '../../shared/runtime/enqueue.js';
import type { Access } from '../auth/access.js';
import type { Principal } from '../auth/principal.js';
import type { LimitedCaller } from '../limits/caller.js';
import type { PositionView } from '../queue-positions/view.js';
import { type AcceptedJob, acceptedJob, createStateReader, missingJob } from './answers.js';
import { createIdempotency, scopedKey } from './idempotency.js';
import { createJobList, type ListJobs } from './list.js';
import { createPageReader } from './page.js';
import { type JobStarter, placeIn } from './start.js';
import type { LimitedStarter } from './start-limited.js';
import { deliveryView } from './webhook.js';

/** A job to start, as a caller sent it. */
export interface JobStart {
  /** The body of `POST /v1/jobs`. */
  body: unknown;
  caller: Principal;
  /** The caller as limits count it. */
  limited: LimitedCaller;
  /** The `Idempotency-Key`. */
  key: string | undefined;
  /** The id of the HTTP request. */
  requestId?: string | undefined;
  /** The path under which the caller reaches the service. */
  base: string;
}

/** What callers do with jobs, over HTTP and in the process of an application: one implementation with all of its checks. */
export interface JobActions {
  /**
   * Starts a job. Resolves when the job is stored.
   * @returns the body of the 202
   * @throws HeadwayError with what is wrong and where
   */
  start(start: JobStart): Promise<AcceptedJob & { token: string }>;
  /** Returns the body of `GET /v1/jobs/:id`. */
  view(job: JobSnapshot, base: string): Promise<Record<string, unknown>>;
  /**
   * Cancels a job.
   * @returns the job as it is afterwards
   * @throws HeadwayError `already-finished`, `gone`, `not-found`
   */
  cancel(jobId: string): Promise<JobSnapshot>;
  list: ListJobs;
}

export interface JobActionsOptions {
  config: Config;
  connection: Connection;
  access: Pick<Access, 'token'>;
  canceller: Canceller;
  starter: JobStarter;
  limitedStarter: LimitedStarter;
  readTombstone: TombstoneReader;
  positionOf: PositionView;
}

export function createJobActions(options: JobActionsOptions): JobActions {
  const { config, connection, access, canceller, starter, limitedStarter, readTombstone, positionOf } =
    options;
  const { redis, keyspace, reconciler, readJob, trackJob, faults } = connection;
  const idempotency = createIdempotency(redis, keyspace, config.IDEMPOTENCY_TTL_MS);
  const readState = createStateReader(trackJob, readTombstone);
  return {
    async start({ body, caller, limited, key: given, requestId, base }) {
      const key = given === undefined ? undefined : scopedKey(given, caller);
      const request = await starter.check(body, caller);
      const newId = starter.idFor(placeIn(request));
      const use = key ? await idempotency.claim(key, body, newId) : { jobId: newId, queued: false };
      let started: Enqueued = { id: use.jobId, state: undefined };
      // A removed job must have been queued, even if the process that queued it ended before recording that.
      const queued = use.queued || (use.jobId !== newId && (await readTombstone(use.jobId)) !== undefined);
      if (!queued) {
        [started = started] = await limitedStarter.startAll(limited, [
          { id: use.jobId, request: { ...request, requestId } },
        ]);
        if (key) await idempotency.confirm(key, started.id);
      }
      const { id } = started;
      const state = started.state ?? (await readState(id));
      const job = acceptedJob(id, request.definition.name, state, base, id !== use.jobId);
      return { ...job, token: access.token(id) };
    },
    async view(job, base) {
      const [progress, delivery, position] = await Promise.all([
        readProgress(redis, keyspace, job),
        deliveryView(job, readJob, base),
        positionOf(job),
      ]);
      return { ...jobView(job, progress, base), ...position, ...delivery };
    },
    async cancel(jobId) {
      const job = await canceller.cancel(jobId);
      if (!job) throw await missingJob(readTombstone, jobId);
      if (job.state === 'completed' || job.state === 'failed') {
        throw new HeadwayError('already-finished', `The job has already ${job.state}.`);
      }
      return job;
    },
    list: createJobList({
      redis,
      keyspace,
      readPage: createPageReader(redis, keyspace),
      trackJob,
      reconciler,
      faults,
    }),
  };
}
