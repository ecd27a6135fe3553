import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Job, type Processor, UnrecoverableError, WaitingError } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Gather } from '../shared/channel/gather.js';
import type { Publisher } from '../shared/channel/publisher.js';
import { HeadwayError, type PermanentError } from '../shared/errors.js';
import type { FileStore } from '../shared/files/store.js';
import type { JobContext, JobDefinition } from '../shared/job.js';
import { jobSettings } from '../shared/job-settings.js';
import type { Lifecycle } from '../shared/lifecycle/reconcile.js';
import { CANCELLED_REASON, type JobErrorCode, type JobSnapshot } from '../shared/lifecycle/snapshot.js';
import type { Logger } from '../shared/log.js';
import { jobIdOf, queueKey } from '../shared/queues.js';
import type { Registry } from '../shared/registry.js';
import { validate } from '../shared/schema.js';
import { type Children, type ChildServices, createChildren, type ParentRun } from './children/children.js';
import { createReporting, type Reporting } from './reporting.js';
import { cancelled, Run, StopReason } from './run.js';

const DEFAULT_GRACE_MS = 5000;

export interface ProcessorOptions {
  registry: Registry;
  redis: Redis;
  queuePrefix: string;
  lifecycle: Lifecycle;
  publisher: Publisher;
  gather: Gather;
  store: FileStore;
  children: ChildServices;
  progressIntervalMs: number;
  log: Logger;
}

export interface JobProcessor {
  /** BullMQ's processor: runs a job's definition and reports what it does on the channel of the job. */
  process: Processor;
  /** The runs of this moment, by the ids of their jobs. */
  runs: Map<string, Run>;
}

export function createProcessor(options: ProcessorOptions): JobProcessor {
  const { registry, redis, queuePrefix, lifecycle, log } = options;
  const runs = new Map<string, Run>();

  /** An end that no further attempt may follow, with its code for programs. */
  async function end(job: Job, message: string, code?: JobErrorCode): Promise<Error> {
    if (code) {
      await redis.hset(
        queueKey(queuePrefix, job.queueName, job.id!),
        'hw:code',
        `${job.attemptsStarted} ${code}`,
      );
    }
    return new UnrecoverableError(message);
  }

  async function work(
    job: Job,
    definition: JobDefinition,
    run: Run,
    reporting: Reporting,
    children: Children,
  ): Promise<unknown> {
    const settings = jobSettings(job.opts);
    if (settings.expiresAt !== undefined && job.attemptsStarted === 1 && Date.now() > settings.expiresAt) {
      throw await end(job, 'not started in time', 'expired');
    }
    const timeoutMs = settings.timeoutMs ?? definition.defaults?.timeoutMs;
    if (timeoutMs !== undefined) run.limit(timeoutMs);
    const ctx = { ...reporting.context(run.signal), child: children.child };
    const result = await execute(definition, job, ctx);
    await children.settle();
    await reporting.flush();
    return result;
  }

  async function afterFailure(
    thrown: unknown,
    job: Job,
    token: string,
    reporting: Reporting,
  ): Promise<Error> {
    const error = thrown instanceof StopReason && thrown.why === 'child' ? thrown.cause : thrown;
    if (error instanceof StopReason) {
      if (error.why === 'lock-lost') {
        reporting.drop();
        return new WaitingError();
      }
      await reporting.flush();
      if (error.why === 'cancel') return end(job, CANCELLED_REASON);
      if (error.why === 'timeout') return end(job, error.message, 'timeout');
      // Put back, for another worker to take at once.
      await job.moveToWait(token);
      return new WaitingError();
    }
    await reporting.flush();
    if (error instanceof UnrecoverableError) return error;
    if (isPermanent(error)) return end(job, (error as Error).message, 'permanent');
    return error instanceof Error ? error : new Error(String(error));
  }

  const process: Processor = async (job, token) => {
    const jobId = jobIdOf({ queue: job.queueName, id: job.id! });
    const definition = registry.get(job.name);
    if (!definition) throw new UnrecoverableError(`no job is named "${job.name}" in this worker`);
    const run = new Run(definition.defaults?.cancelGraceMs ?? DEFAULT_GRACE_MS);
    runs.set(jobId, run);
    const reporting = createReporting(options, jobId, job, definition, log);
    let children: Children | undefined;
    try {
      // Before anything else of this attempt: whatever the last one left untold, and that this one is active.
      const { job: now } = await lifecycle.reconcile(jobId);
      // The run is known here since before that look: a request that comes after it finds the run.
      if (now?.cancelling) run.stop(cancelled());
      children = createChildren(options.children, parentRun(job, jobId, now, run, reporting));
      const mine = children;
      return await run.do(() => work(job, definition, run, reporting, mine));
    } catch (error) {
      throw await afterFailure(error, job, token!, reporting);
    } finally {
      children?.leave();
      // Another run of the same job may have begun here since this one lost it.
      if (runs.get(jobId) === run) runs.delete(jobId);
    }
  };
  return { process, runs };
}

/** A run as its children see it. */
function parentRun(
  job: Job,
  jobId: string,
  now: JobSnapshot | undefined,
  run: Run,
  reporting: Reporting,
): ParentRun {
  return {
    jobId,
    settings: jobSettings(job.opts),
    signal: run.signal,
    hasPending: (now?.children?.pending ?? 0) > 0,
    part: reporting.part,
    tell: reporting.childFailed,
    warn: reporting.warn,
    fail: (error) => run.stop(new StopReason('child', error.message, { cause: error })),
  };
}

async function execute(definition: JobDefinition, job: Job, ctx: JobContext): Promise<unknown> {
  const input = await validate(definition.input, job.data);
  if (input.errors) {
    throw new UnrecoverableError(`the data does not fit the job: ${explain(input.errors)}`);
  }
  const returned = await definition.run(
    input.value as StandardSchemaV1.InferOutput<JobDefinition['input']>,
    ctx,
  );
  const result = await validate(definition.result, returned ?? null);
  if (result.errors) {
    throw new UnrecoverableError(`the result does not fit the job's schema: ${explain(result.errors)}`);
  }
  return result.value ?? null;
}

/** An error that another attempt cannot mend. */
function isPermanent(error: unknown): boolean {
  if (error instanceof HeadwayError) return error.status < 500;
  return (error as Partial<PermanentError> | undefined)?.permanent === true;
}

const explain = (errors: Array<{ pointer: string; detail: string }>): string =>
  errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ');
