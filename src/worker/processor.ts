import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type Job, type Processor, UnrecoverableError, WaitingError } from 'bullmq';
import type { Gather } from '../shared/channel/gather.js';
import { jobChannel } from '../shared/channel/keys.js';
import type { Publisher } from '../shared/channel/publisher.js';
import { HeadwayError, type PermanentError } from '../shared/errors.js';
import { jobFiles } from '../shared/files/job-files.js';
import type { FileStore } from '../shared/files/store.js';
import type { JobContext, JobDefinition, LogLevel } from '../shared/job.js';
import type { Lifecycle } from '../shared/lifecycle/reconcile.js';
import type { Logger } from '../shared/log.js';
import type { Registry } from '../shared/registry.js';
import { validate } from '../shared/schema.js';
import { JobLog } from './job-log.js';
import { Reporter } from './reporter.js';

/** Why a run has to stop; the reason of an aborted `ctx.signal`. */
export class StopReason extends Error {
  constructor(
    readonly why: 'shutdown' | 'lock-lost',
    message: string,
  ) {
    super(message);
    this.name = 'StopReason';
  }
}

export interface ProcessorOptions {
  registry: Registry;
  lifecycle: Lifecycle;
  publisher: Publisher;
  gather: Gather;
  store: FileStore;
  progressIntervalMs: number;
  log: Logger;
}

/** Makes BullMQ's processor: runs a job's definition and reports what it does on the channel of the job. */
export function createProcessor({
  registry,
  lifecycle,
  publisher,
  gather,
  store,
  progressIntervalMs,
  log,
}: ProcessorOptions) {
  const processor: Processor = async (job, token, signal) => {
    const jobId = job.id!;
    const jobLog = log.child({ jobId, job: job.name, attempt: job.attemptsStarted });
    const definition = registry.get(job.name);
    if (!definition) throw new UnrecoverableError(`no job is named "${job.name}" in this worker`);

    // Before anything else of this attempt: whatever the last one left untold, and that this one is active.
    await lifecycle.reconcile(jobId);
    const channel = jobChannel(jobId);
    const fence = { attempt: job.attemptsStarted };
    const warn = (message: string): void => jobLog.warn(message);
    const reporter = new Reporter({
      jobId,
      attempt: job.attemptsStarted,
      stages: definition.stages,
      intervalMs: progressIntervalMs,
      publish: (data) => publisher.publish(channel, { event: 'progress', kind: 'state', data }, fence),
      updateBullMq: (data) => new Promise((resolve) => gather(() => resolve(job.updateProgress(data)))),
      warn,
    });
    const lines = new JobLog(
      (line) =>
        publisher.publish(channel, { event: 'log', data: { jobId, attempt: fence.attempt, ...line } }, fence),
      warn,
    );
    const ctx: JobContext = {
      jobId,
      attempt: fence.attempt,
      signal: signal!,
      progress: (update) => reporter.update(update),
      stage: (name) => reporter.stage(name),
      log: (levelOrMessage: string, message?: string, fields?: Record<string, unknown>) =>
        message === undefined
          ? lines.write('info', levelOrMessage)
          : lines.write(levelOrMessage as LogLevel, message, fields),
      files: jobFiles(store, jobId),
    };

    try {
      const result = await run(definition, job, ctx);
      await reporter.flush();
      return result;
    } catch (error) {
      if (signal?.aborted && signal.reason instanceof StopReason) {
        if (signal.reason.why === 'shutdown') await handBack(job, token!, reporter, lines);
        else reporter.stop();
        throw new WaitingError();
      }
      await reporter.flush();
      throw final(error) ? new UnrecoverableError((error as Error).message) : error;
    } finally {
      await lines.flush();
    }
  };
  return processor;
}

async function run(definition: JobDefinition, job: Job, ctx: JobContext): Promise<unknown> {
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

/** Puts a job that was not finished back, for another worker to take at once. */
async function handBack(job: Job, token: string, reporter: Reporter, lines: JobLog): Promise<void> {
  await reporter.flush();
  await lines.flush();
  await job.moveToWait(token);
}

/** An error that another attempt cannot mend. */
function final(error: unknown): boolean {
  if (error instanceof HeadwayError) return error.status < 500;
  return (error as Partial<PermanentError> | undefined)?.permanent === true;
}

const explain = (errors: Array<{ pointer: string; detail: string }>): string =>
  errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ');
