import { type Job, type Processor, UnrecoverableError } from 'bullmq';
import type { Batch } from '../../shared/channel/batch.js';
import type { Publisher } from '../../shared/channel/publisher.js';
import type { WatcherQuery } from '../../shared/channel/watchers.js';
import type { RunningJobs } from '../../shared/dashboard/running.js';
import type { FileStore, Workspace } from '../../shared/files/store.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { idOfStored, isRandomId } from '../../shared/jobs/queues.js';
import type { Registry } from '../../shared/jobs/registry.js';
import type { RetentionTimes } from '../../shared/jobs/retention-times.js';
import { jobSettings } from '../../shared/jobs/settings.js';
import { assumeWaiting, type KnownState } from '../../shared/lifecycle/observers.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import type { JobSnapshot } from '../../shared/lifecycle/snapshot.js';
import type { Logger } from '../../shared/process/log.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { serverRun } from '../../shared/redis/server-run.js';
import { tracing } from '../../shared/tracing/tracing.js';
import { RunEstimate } from '../estimates/run-estimate.js';
import type { RunHistory } from '../estimates/run-history.js';
import { ChildEvents } from '../reporting/child-events.js';
import type { ReportingLimits } from '../reporting/context.js';
import { createReportSink } from '../reporting/create-sink.js';
import type { ReportSink } from '../reporting/sink.js';
import { createAttemptErrors } from './attempt-errors.js';
import { isElsewhere, lockLost, requireLock, retryLastStep } from './bullmq-job.js';
import { type Children, type ChildServices, createChildren } from './children/children.js';
import { concealed } from './concealed.js';
import { checkResult, checkScheduledData } from './contract.js';
import { createLocalExecution, type Execution, type InternalServices } from './execution.js';
import { readable } from './failure.js';
import { jobFiles, keepFilesOfCompleted } from './job-files.js';
import { attemptFields } from './log-fields.js';
import { ActiveRuns, cancelled, Run, StopReason } from './run.js';
import { BriefKinds, RunStart } from './run-start.js';
import { createSuspects } from './suspects.js';
import { createThreadExecution } from './thread/execution.js';
import type { Threads } from './thread/pool.js';

const DEFAULT_GRACE_MS = 5000;
/** How long the reports of a run that has lost its lock are still sent, in ms. */
const LOST_RUN_MS = 30_000;

export interface ProcessorOptions {
  registry: Registry;
  redis: RedisClient;
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
  /** The memory of a job in a thread whose definition sets none, in MiB. */
  memoryMb: number;
  /** The threads for definitions with `thread: true`. */
  threads: Threads;
  services: InternalServices;
  children: ChildServices;
  /** Duration of a lock in ms. */
  lockMs: number;
  /** The time limit of jobs that have none, in ms; 0 for no limit. */
  timeoutMs: number;
  /** A job that has lost its worker more often than this fails. */
  maxStalls: number;
  /** The earlier runs of each kind, from which the remaining time is estimated. */
  history: RunHistory;
  /** Records the running jobs and their progress for the dashboard. */
  running: RunningJobs;
  log: Logger;
}

export interface JobProcessor {
  /** The processor for BullMQ: runs the definition of a job and publishes its reports on the channel of the job. */
  process: Processor;
  runs: ActiveRuns;
  /** What the channel of a job has published of its run so far. */
  begun: WeakMap<Job, KnownState>;
}

export function createProcessor(options: ProcessorOptions): JobProcessor {
  const { registry, redis, reconciler, services, running, history, log } = options;
  const runs = new ActiveRuns();
  const begun: JobProcessor['begun'] = new WeakMap();
  const brief = new BriefKinds();
  const suspects = createSuspects(options);
  const { finalError, failureOf } = createAttemptErrors({ redis, runs, suspects, log });

  function sinkOf(
    jobId: string,
    job: Job,
    start: RunStart,
    estimate: RunEstimate,
    attemptLog: Logger,
  ): ReportSink {
    const { publisher, presence, batch, limits } = options;
    const sink = createReportSink({
      publisher: start.before(publisher),
      presence,
      batch,
      redis,
      jobId,
      job,
      begin: () => reconciler.reconcile(jobId),
      logLines: limits.logLines,
      log: attemptLog,
    });
    const { progress, bullMqProgress } = sink;
    sink.progress = (data, reports) => {
      const estimated = estimate.apply(data);
      running.progress(jobId, estimated);
      return progress(estimated, reports);
    };
    sink.bullMqProgress = (data) => bullMqProgress(estimate.apply(data));
    return sink;
  }

  function executionOf(
    jobId: string,
    attempt: number,
    definition: JobDefinition,
    sink: ReportSink,
    workspace: Workspace | undefined,
  ): Execution {
    const { store, basePath, limits, threads, memoryMb } = options;
    if (definition.thread) {
      const { path } = workspace ?? {};
      return createThreadExecution(definition, { jobId, attempt, memoryMb, sink, workspace: path, threads });
    }
    return createLocalExecution(definition, {
      jobId,
      attempt,
      limits,
      files: jobFiles(store, jobId, basePath, workspace),
      sink,
      services: definition.internal ? services : undefined,
    });
  }

  async function execute(
    job: Job,
    definition: JobDefinition,
    run: Run,
    execution: Execution,
    estimate: RunEstimate,
    children: Children,
    token: string,
  ): Promise<unknown> {
    const takenAt = job.processedOn ?? serverNow();
    const settings = jobSettings(job.opts);
    const timeoutMs = settings.timeoutMs ?? definition.defaults?.timeoutMs ?? options.timeoutMs;
    await checkScheduledData(definition, job.data, settings);
    const begin = async (): Promise<void> => {
      await requireLock(job, token, options.lockMs, takenAt);
      run.signal.throwIfAborted();
      run.begun = true;
      if (timeoutMs > 0) run.limit(timeoutMs);
      estimate.start();
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

  const process: Processor = async (job, token = '') => {
    const jobId = idOfStored(job);
    const definition = registry.get(job.name);
    if (!definition) throw new UnrecoverableError(`this worker has no job type "${job.name}"`);
    const settings = jobSettings(job.opts);
    const attemptLog = log.child(attemptFields(job, jobId, settings));
    retryLastStep(job, attemptLog);
    const run = new Run(jobId, definition.defaults?.cancelGraceMs ?? DEFAULT_GRACE_MS);
    runs.begin(jobId, run);
    const attempt = job.attemptsStarted;
    running.begin({
      id: jobId,
      name: job.name,
      title: settings.title,
      owner: settings.owner,
      attempt,
      startedAt: job.processedOn ?? serverNow(),
      percent: null,
    });
    const isFirst = attempt === 1;
    // A job with the id of an earlier one is published after its end. That is found by comparing while the job runs.
    const isHeld =
      isFirst &&
      isRandomId(jobId) &&
      brief.has(job.name) &&
      settings.expiresAt === undefined &&
      isFresh(job, options.lockMs);
    const start = new RunStart(async () => {
      const assumed = isFirst ? assumeWaiting(serverRun(redis)) : undefined;
      const { job: now, known } = await reconciler.reconcile(
        jobId,
        undefined,
        undefined,
        run.signal,
        assumed,
      );
      if (known) begun.set(job, known);
      else begun.delete(job);
      // The run was registered before this read: a cancel request that arrives later finds it.
      if (isElsewhere(now, jobId, attempt)) run.stop(lockLost());
      else if (now?.cancelAsked) run.stop(cancelled());
      return now;
    });
    const estimate = new RunEstimate(
      history,
      job.name,
      (etaMs) => void sink.progress({ jobId, attempt, percent: null, etaMs, at: serverNow() }, 1),
    );
    const sink = sinkOf(jobId, job, start, estimate, attemptLog);
    const workspace = options.store.workspace();
    const execution = executionOf(jobId, attempt, definition, sink, workspace);
    const childEvents = new ChildEvents({ jobId, attempt }, sink);
    const delivered = async (): Promise<void> => {
      await execution.flush();
      await sink.delivered();
    };
    // Earlier reports are still sent, without waiting for them. The channel rejects them once another run has begun.
    run.lost
      .then(() => {
        setTimeout(() => execution.drop(), LOST_RUN_MS).unref();
        return delivered();
      })
      .catch((error) =>
        attemptLog.debug({ err: error }, 'could not send the reports of a run that has lost its lock'),
      );
    const flush = (): Promise<void> => Promise.race([delivered(), run.lost]);
    /** The outcome of a failed run follows its start. If the start cannot be published, the cause is already known. */
    const flushFailed = (): Promise<void> =>
      Promise.race([
        start
          .publish()
          .catch(() => {})
          .then(delivered),
        run.lost,
      ]);
    let children: Children | undefined;
    let beganAt = performance.now();
    try {
      let now: JobSnapshot | undefined;
      if (isHeld) {
        begun.set(job, assumeWaiting(serverRun(redis)));
        start.hold((error) => {
          // The run would fail for that at its end, after all its work.
          if (!run.ended.aborted) run.stop(unpublished(error));
        });
      } else {
        // Publishes also what the last attempt left unpublished.
        now = await start.publish();
        beganAt = performance.now();
      }
      const ownChildren = createChildren(options.children, {
        jobId,
        settings,
        signal: run.signal,
        hasPending: (now?.children?.pending ?? 0) > 0,
        events: childEvents,
        fail: (error) => run.stop(new StopReason('child', error.message, { cause: error })),
      });
      children = ownChildren;
      const result = await run.do(async () => {
        if (isLate(now)) throw await finalError(job, 'not started in time', 'expired');
        const leaveTurn = await suspects.enter(job, run, now?.stalls ?? 0);
        const startChild: Children['start'] = (...call) => {
          // The child itself may be waiting for its turn.
          leaveTurn();
          return ownChildren.start(...call);
        };
        const result = await execute(
          job,
          definition,
          run,
          execution,
          estimate,
          { ...ownChildren, start: startChild },
          token,
        );
        await flush();
        await start.settled();
        estimate.completed();
        return result;
      });
      logEnd(attemptLog, 'an attempt has completed', beganAt);
      return result;
    } catch (error) {
      logEnd(attemptLog, 'an attempt has ended early', beganAt);
      throw await failureOf(readable(error), job, token, run, execution, flushFailed);
    } finally {
      brief.note(job.name, performance.now() - beganAt);
      estimate.stop();
      children?.detach();
      // Another run of the same job may have begun here after this one lost its lock.
      if (runs.get(jobId) === run) runs.delete(jobId);
      running.end(jobId, job.attemptsStarted);
      // Also if the run goes on after its time to clean up, or its thread was terminated.
      await workspace?.remove();
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
  const traced: Processor = (job, token) => {
    const active = tracing();
    if (!active) return concealing(job, token);
    const id = idOfStored(job);
    const attempt = { id, kind: job.name, queue: job.queueName, attempt: job.attemptsStarted };
    return active.attempt(attempt, job.opts.telemetry?.metadata, () => concealing(job, token));
  };
  return { process: traced, runs, begun };
}

/** Logs the end of an attempt. At `debug`, because a worker may end thousands a second. */
function logEnd(log: Logger, message: string, beganAt: number): void {
  if (log.isLevelEnabled('debug')) log.debug({ ms: Math.round(performance.now() - beganAt) }, message);
}

/** Why a run stops when its start, which was held back, cannot be published. The attempt fails with the cause. */
const unpublished = (cause: unknown): StopReason =>
  new StopReason('uncaught', 'the start of the run could not be published', { cause });

/** Whether a worker has just taken a job, so that it surely holds its lock. */
const isFresh = (job: Job, lockMs: number): boolean =>
  job.processedOn !== undefined && serverNow() - job.processedOn < lockMs / 2;

/** Whether a job should have started before now. */
const isLate = (job: JobSnapshot | undefined): boolean =>
  job?.attempt === 1 && serverNow() > (job.settings.expiresAt ?? Number.POSITIVE_INFINITY);
