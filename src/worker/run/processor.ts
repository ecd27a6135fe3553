import { type Job, type Processor, UnrecoverableError, WaitingError } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Batch } from '../../shared/channel/batch.js';
import type { Publisher } from '../../shared/channel/publisher.js';
import type { WatcherQuery } from '../../shared/channel/watchers.js';
import type { RunningJobs } from '../../shared/dashboard/running.js';
import type { FileStore } from '../../shared/files/store.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { jobIdOf, queueKey } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import type { RetentionTimes } from '../../shared/jobs/retention-times.js';
import { jobSettings } from '../../shared/jobs/settings.js';
import { asError } from '../../shared/jobs/thrown.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import { CANCELLED_REASON, type JobErrorCode, type JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import { ChildEvents } from '../reporting/child-events.js';
import type { ReportingLimits } from '../reporting/context.js';
import { createReportSink } from '../reporting/create-sink.js';
import type { ReportSink } from '../reporting/sink.js';
import { handBack, isElsewhere, lockLost, requireLock, retryLastStep } from './bullmq-job.js';
import { type Children, type ChildServices, createChildren } from './children/children.js';
import { checkResult } from './contract.js';
import { createLocalExecution, type Execution, type InternalServices } from './execution.js';
import { concealed, isPermanent, readable } from './failure.js';
import { jobFiles, keepFilesOfCompleted } from './job-files.js';
import { ActiveRuns, cancelled, Run, StopReason } from './run.js';
import { createSuspects } from './suspects.js';
import { createThreadExecution } from './thread/execution.js';
import type { Threads } from './thread/pool.js';

const DEFAULT_GRACE_MS = 5000;
/** How long the reports of a run that has lost its lock are still sent, in ms. */
const LOST_RUN_MS = 30_000;

export interface ProcessorOptions {
  registry: Registry;
  redis: Redis;
  queuePrefix: string;
  /** Retries while Redis refuses commands. */
  reconciler: Reconciler;
  publisher: Publisher;
  presence: WatcherQuery;
  batch: Batch;
  store: FileStore;
  /** Path prefix of the service in URLs for clients. */
  basePath: string;
  keep: RetentionTimes;
  limits: ReportingLimits;
  /** The threads for definitions with `thread: true`. */
  threads: Threads;
  services: InternalServices;
  children: ChildServices;
  /** Duration of a lock in ms. */
  lockMs: number;
  /** A job that has lost its worker more often than this fails. */
  maxStalls: number;
  /** Records the running jobs and their progress for the dashboard. */
  running: RunningJobs;
  log: Logger;
}

export interface JobProcessor {
  /** The processor for BullMQ: runs the definition of a job and publishes its reports on the channel of the job. */
  process: Processor;
  runs: ActiveRuns;
}

export function createProcessor(options: ProcessorOptions): JobProcessor {
  const { registry, redis, queuePrefix, reconciler, services, running, log } = options;
  const runs = new ActiveRuns();
  const suspects = createSuspects(options);

  /** Returns the error with which a job fails without another attempt. @param code stored for programs */
  async function finalError(job: Job, message: string, code?: JobErrorCode): Promise<Error> {
    if (code) {
      const key = queueKey(queuePrefix, job.queueName, job.id!);
      await untilTaken(() => redis.hset(key, 'hw:code', `${job.attemptsStarted} ${code}`));
    }
    return new UnrecoverableError(message);
  }

  function sinkOf(jobId: string, job: Job): ReportSink {
    const { publisher, presence, batch, limits } = options;
    const sink = createReportSink({
      publisher,
      presence,
      batch,
      redis,
      queuePrefix,
      jobId,
      job,
      begin: () => reconciler.reconcile(jobId),
      logLines: limits.logLines,
      log: log.child({ jobId, job: job.name, attempt: job.attemptsStarted }),
    });
    const { progress } = sink;
    sink.progress = (data) => {
      running.progress(jobId, data);
      return progress(data);
    };
    return sink;
  }

  function executionOf(
    jobId: string,
    attempt: number,
    definition: JobDefinition,
    sink: ReportSink,
  ): Execution {
    const { store, basePath, limits, threads } = options;
    if (definition.thread) return createThreadExecution(definition, { jobId, attempt, sink, threads });
    return createLocalExecution(definition, {
      jobId,
      attempt,
      limits,
      files: jobFiles(store, jobId, basePath),
      sink,
      services: definition.internal ? services : undefined,
    });
  }

  async function execute(
    job: Job,
    definition: JobDefinition,
    run: Run,
    execution: Execution,
    children: Children,
    token: string,
  ): Promise<unknown> {
    const takenAt = job.processedOn ?? serverNow();
    const settings = jobSettings(job.opts);
    const timeoutMs = settings.timeoutMs ?? definition.defaults?.timeoutMs;
    const begin = async (): Promise<void> => {
      await requireLock(job, token, options.lockMs, takenAt);
      run.signal.throwIfAborted();
      run.begun = true;
      if (timeoutMs !== undefined) run.limit(timeoutMs);
    };
    const result = await checkResult(definition, await execution.run(job.data, run, begin, children.start));
    await children.awaitAll();
    await keepFilesOfCompleted(options.store, {
      data: job.data,
      result,
      until: serverNow() + options.keep.of(job.name, settings),
    });
    return result;
  }

  /**
   * Returns the error to give to BullMQ for what a run threw, and hands the job back if it should run again.
   * @param flush resolves when Redis has all reports of the run and its children
   */
  async function failureOf(
    thrown: unknown,
    job: Job,
    token: string,
    run: Run,
    execution: Execution,
    flush: () => Promise<unknown>,
  ): Promise<Error> {
    // Calls to Redis are abandoned when a run is stopped: the reason of the stop is the real error.
    if (run.stopped && isRedisFault(thrown)) return failureOf(run.stopped, job, token, run, execution, flush);
    const isCause = thrown instanceof StopReason && (thrown.why === 'child' || thrown.why === 'uncaught');
    const error = isCause ? readable(thrown.cause) : thrown;
    if (error instanceof StopReason) {
      if (error.why === 'lock-lost') {
        if (!run.lost.aborted) execution.drop();
        return new WaitingError();
      }
      await flush();
      if (run.lost.aborted) return new WaitingError();
      if (error.why === 'cancel') return finalError(job, CANCELLED_REASON);
      if (error.why === 'timeout') return finalError(job, error.message, 'timeout');
      // Not handed back: BullMQ finds the job stalled, which counts against it.
      if (runs.crashCause === run) return new WaitingError();
      if (runs.crashing && run.begun) await untilTaken(() => suspects.noteCrash(job));
      await untilTaken(() => handBack(job, token, redis, queuePrefix));
      return new WaitingError();
    }
    await flush();
    if (run.lost.aborted) return new WaitingError();
    // Viewers see the message only; the original error of a library or the system is logged here.
    if (error instanceof Error && error.cause !== undefined) {
      log.warn({ err: error, jobId: jobIdOf({ queue: job.queueName, id: job.id! }) }, 'an attempt failed');
    }
    // BullMQ recognises its errors by name too.
    const plain = asError(error);
    return isPermanent(error) && plain.name !== 'UnrecoverableError'
      ? finalError(job, plain.message, 'permanent')
      : plain;
  }

  const process: Processor = async (job, token) => {
    const jobId = jobIdOf({ queue: job.queueName, id: job.id! });
    const definition = registry.get(job.name);
    if (!definition) throw new UnrecoverableError(`this worker has no job type "${job.name}"`);
    retryLastStep(job, log);
    const run = new Run(jobId, definition.defaults?.cancelGraceMs ?? DEFAULT_GRACE_MS);
    runs.begin(jobId, run);
    const attempt = job.attemptsStarted;
    running.begin({
      id: jobId,
      name: job.name,
      owner: jobSettings(job.opts).owner,
      attempt,
      startedAt: job.processedOn ?? serverNow(),
      percent: null,
    });
    const sink = sinkOf(jobId, job);
    const execution = executionOf(jobId, attempt, definition, sink);
    const childEvents = new ChildEvents({ jobId, attempt }, sink);
    const delivered = async (): Promise<void> => {
      await execution.flush();
      await sink.delivered();
    };
    const lost = new Promise<void>((resolve) => {
      run.lost.addEventListener('abort', () => resolve(), { once: true });
    });
    // Earlier reports are still sent, without waiting for them. The channel rejects them once another run has begun.
    lost
      .then(() => {
        setTimeout(() => execution.drop(), LOST_RUN_MS).unref();
        return delivered();
      })
      .catch((error) =>
        log.debug({ err: error, jobId }, 'could not send the reports of a run that has lost its lock'),
      );
    const flush = (): Promise<void> => Promise.race([delivered(), lost]);
    let children: Children | undefined;
    try {
      // Publish first what the last attempt left unpublished, and that this attempt is active.
      const { job: now } = await reconciler.reconcile(jobId, undefined, undefined, run.signal);
      // The run was registered before this read: a cancel request that arrives later finds it.
      if (isElsewhere(now, jobId, attempt)) run.stop(lockLost());
      else if (now?.cancelAsked) run.stop(cancelled());
      const ownChildren = createChildren(options.children, {
        jobId,
        settings: jobSettings(job.opts),
        signal: run.signal,
        hasPending: (now?.children?.pending ?? 0) > 0,
        events: childEvents,
        fail: (error) => run.stop(new StopReason('child', error.message, { cause: error })),
      });
      children = ownChildren;
      return await run.do(async () => {
        if (isLate(now)) throw await finalError(job, 'not started in time', 'expired');
        const leaveTurn = await suspects.enter(job, run, now?.stalls ?? 0);
        const start: Children['start'] = (...call) => {
          // The child itself may be waiting for its turn.
          leaveTurn();
          return ownChildren.start(...call);
        };
        const result = await execute(job, definition, run, execution, { ...ownChildren, start }, token!);
        await flush();
        return result;
      });
    } catch (error) {
      throw await failureOf(readable(error), job, token!, run, execution, flush);
    } finally {
      children?.detach();
      // Another run of the same job may have begun here after this one lost its lock.
      if (runs.get(jobId) === run) runs.delete(jobId);
      running.end(jobId, job.attemptsStarted);
    }
  };
  /** All errors of jobs pass through here, because viewers see their messages. */
  const concealing: Processor = async (job, token) => {
    try {
      return await process(job, token);
    } catch (error) {
      throw concealed(error as Error, options.store);
    }
  };
  return { process: concealing, runs };
}

/** Whether a job should have started before now. */
const isLate = (job: JobSnapshot | undefined): boolean =>
  job?.attempt === 1 && serverNow() > (job.settings.expiresAt ?? Number.POSITIVE_INFINITY);
