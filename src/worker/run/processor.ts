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
import { type Children, type ChildServices, createChildren } from './children/children.js';
import { checkResult } from './contract.js';
import { endPatiently } from './end-patiently.js';
import { createLocalExecution, type Execution } from './execution.js';
import { handBack } from './hand-back.js';
import { isElsewhere, lockLost, requireLock } from './hold.js';
import type { InternalServices } from './internal.js';
import { jobFiles, keepFilesOfCompleted } from './job-files.js';
import { isPermanent } from './permanent.js';
import { ActiveRuns, cancelled, Run, StopReason } from './run.js';
import { createSuspects } from './suspects.js';
import { createThreadExecution } from './thread/execution.js';
import type { Threads } from './thread/pool.js';

const DEFAULT_GRACE_MS = 5000;
/** So long the reports of a run whose lock was lost are still sent, in ms. */
const LEAVE_MS = 30_000;

export interface ProcessorOptions {
  registry: Registry;
  redis: Redis;
  queuePrefix: string;
  /** Repeats itself while Redis refuses. */
  reconciler: Reconciler;
  publisher: Publisher;
  presence: WatcherQuery;
  batch: Batch;
  store: FileStore;
  /** The path below which clients see the service. */
  basePath: string;
  keep: RetentionTimes;
  limits: ReportingLimits;
  /** For definitions with `thread: true`. */
  threads: Threads;
  services: InternalServices;
  children: ChildServices;
  /** How long a lock lasts, in ms, and how often a job may lose its worker. */
  lockMs: number;
  maxStalls: number;
  /** Hears of what runs here and how far it is. */
  running: RunningJobs;
  log: Logger;
}

export interface JobProcessor {
  /** BullMQ's processor: runs a job's definition and reports what it does on the channel of the job. */
  process: Processor;
  runs: ActiveRuns;
}

export function createProcessor(options: ProcessorOptions): JobProcessor {
  const { registry, redis, queuePrefix, reconciler, services, running, log } = options;
  const runs = new ActiveRuns();
  const suspects = createSuspects(options);

  /** An end that no further attempt may follow, with its code for programs. */
  async function end(job: Job, message: string, code?: JobErrorCode): Promise<Error> {
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

  async function work(
    job: Job,
    definition: JobDefinition,
    run: Run,
    execution: Execution,
    children: Children,
    token: string,
  ): Promise<unknown> {
    const taken = job.processedOn ?? serverNow();
    const settings = jobSettings(job.opts);
    const timeoutMs = settings.timeoutMs ?? definition.defaults?.timeoutMs;
    const begin = async (): Promise<void> => {
      await requireLock(job, token, options.lockMs, taken);
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

  /** @param flush resolves when Redis has all that the run and its children said */
  async function afterFailure(
    thrown: unknown,
    job: Job,
    token: string,
    run: Run,
    execution: Execution,
    flush: () => Promise<unknown>,
  ): Promise<Error> {
    // A call to Redis that was given up because the run was to stop.
    if (run.stopped && isRedisFault(thrown))
      return afterFailure(run.stopped, job, token, run, execution, flush);
    const isCause = thrown instanceof StopReason && (thrown.why === 'child' || thrown.why === 'uncaught');
    const error = isCause ? readable(thrown.cause) : thrown;
    if (error instanceof StopReason) {
      if (error.why === 'lock-lost') {
        if (!run.lost.aborted) execution.drop();
        return new WaitingError();
      }
      await flush();
      if (run.lost.aborted) return new WaitingError();
      if (error.why === 'cancel') return end(job, CANCELLED_REASON);
      if (error.why === 'timeout') return end(job, error.message, 'timeout');
      // Left where it is: it is found stalled, which counts.
      if (runs.guilty === run) return new WaitingError();
      if (runs.crashing && run.begun) await untilTaken(() => suspects.noteCrash(job));
      await untilTaken(() => handBack(job, token, redis, queuePrefix));
      return new WaitingError();
    }
    await flush();
    if (run.lost.aborted) return new WaitingError();
    // Viewers get words of ours; what the library or the system said is only here.
    if (error instanceof Error && error.cause !== undefined) {
      log.warn({ err: error, jobId: jobIdOf({ queue: job.queueName, id: job.id! }) }, 'an attempt failed');
    }
    // BullMQ's own errors are known by their names too.
    const plain = asError(error);
    return isPermanent(error) && plain.name !== 'UnrecoverableError'
      ? end(job, plain.message, 'permanent')
      : plain;
  }

  const process: Processor = async (job, token) => {
    const jobId = jobIdOf({ queue: job.queueName, id: job.id! });
    const definition = registry.get(job.name);
    if (!definition) throw new UnrecoverableError(`no job is named "${job.name}" in this worker`);
    endPatiently(job, log);
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
    const news = new ChildEvents({ jobId, attempt }, sink);
    const landed = async (): Promise<void> => {
      await execution.flush();
      await sink.landed();
    };
    const lost = new Promise<void>((resolve) => {
      run.lost.addEventListener('abort', () => resolve(), { once: true });
    });
    // What was said before still arrives, unless another run has begun: the channel knows. Nobody waits for it.
    lost
      .then(() => {
        setTimeout(() => execution.drop(), LEAVE_MS).unref();
        return landed();
      })
      .catch((error) => log.debug({ err: error, jobId }, 'the reports of a lost run did not arrive'));
    const flush = (): Promise<void> => Promise.race([landed(), lost]);
    let children: Children | undefined;
    try {
      // Before anything else of this attempt: whatever the last one left untold, and that this one is active.
      const { job: now } = await reconciler.reconcile(jobId, undefined, undefined, run.signal);
      // The run is known here since before that look: a request that comes after it finds the run.
      if (isElsewhere(now, jobId, attempt)) run.stop(lockLost());
      else if (now?.cancelAsked) run.stop(cancelled());
      const family = createChildren(options.children, {
        jobId,
        settings: jobSettings(job.opts),
        signal: run.signal,
        hasPending: (now?.children?.pending ?? 0) > 0,
        news,
        fail: (error) => run.stop(new StopReason('child', error.message, { cause: error })),
      });
      children = family;
      return await run.do(async () => {
        if (isLate(now)) throw await end(job, 'not started in time', 'expired');
        const leaveTurn = await suspects.enter(job, run, now?.stalls ?? 0);
        const start: Children['start'] = (...call) => {
          // The child may be waiting for a turn itself.
          leaveTurn();
          return family.start(...call);
        };
        const result = await work(job, definition, run, execution, { ...family, start }, token!);
        await flush();
        return result;
      });
    } catch (error) {
      throw await afterFailure(readable(error), job, token!, run, execution, flush);
    } finally {
      children?.leave();
      // Another run of the same job may have begun here since this one lost it.
      if (runs.get(jobId) === run) runs.delete(jobId);
      running.end(jobId, job.attemptsStarted);
    }
  };
  /** The one way out for the errors of jobs: viewers see their messages. */
  const concealing: Processor = async (job, token) => {
    try {
      return await process(job, token);
    } catch (error) {
      throw concealed(error as Error, options.store);
    }
  };
  return { process: concealing, runs };
}

/** An error whose message may be shown. The stack, which only operators see, stays as it is. */
function concealed(error: Error, store: FileStore): Error {
  if (typeof error.message !== 'string') return error;
  const message = store.conceal(error.message);
  if (message === error.message) return error;
  // BullMQ knows this one by its class or its name, and no other of its errors has a message of ours.
  const shown = error.name === 'UnrecoverableError' ? new UnrecoverableError(message) : new Error(message);
  if (error.stack) shown.stack = error.stack;
  return shown;
}

/** What was thrown, or what can be said of it where its properties throw themselves. */
function readable(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error) void [thrown.name, thrown.message, thrown.stack, thrown.cause];
    isPermanent(thrown);
    isRedisFault(thrown);
    return thrown;
  } catch {
    return asError(thrown);
  }
}

/** It had to be begun before now. */
const isLate = (job: JobSnapshot | undefined): boolean =>
  job?.attempt === 1 && serverNow() > (job.settings.expiresAt ?? Number.POSITIVE_INFINITY);
