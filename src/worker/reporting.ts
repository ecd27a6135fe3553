import type { Job } from 'bullmq';
import { jobChannel } from '../shared/channel/keys.js';
import type { Publisher } from '../shared/channel/publisher.js';
import { jobFiles } from '../shared/files/job-files.js';
import type { FileStore } from '../shared/files/store.js';
import type { JobContext, JobDefinition, LogLevel } from '../shared/job.js';
import type { Logger } from '../shared/log.js';
import { type BullMqCopyOptions, createBullMqCopy } from './bullmq-copy.js';
import { JobLog } from './job-log.js';
import { Reporter } from './reporter.js';

export interface ReportingOptions extends BullMqCopyOptions {
  publisher: Publisher;
  store: FileStore;
  progressIntervalMs: number;
}

/** What one run says: the context through which it does, and the way of all of it to the channel. */
export interface Reporting {
  context(signal: AbortSignal): JobContext;
  /** Ends it: resolves when Redis has everything that was said. What the run still says is thrown away. */
  flush(): Promise<void>;
  /** Ends it and forgets what was not sent yet. */
  drop(): void;
}

export function createReporting(
  options: ReportingOptions,
  jobId: string,
  job: Job,
  definition: JobDefinition,
  log: Logger,
): Reporting {
  const { publisher, store, progressIntervalMs } = options;
  const bullmq = createBullMqCopy(options, job);
  const attempt = job.attemptsStarted;
  const channel = jobChannel(jobId);
  const fence = { attempt };
  const jobLog = log.child({ jobId, job: job.name, attempt });
  const warn = (message: string): void => jobLog.warn(message);
  let open = true;
  const reporter = new Reporter({
    jobId,
    attempt,
    stages: definition.stages,
    intervalMs: progressIntervalMs,
    publish: (data) => publisher.publish(channel, { event: 'progress', kind: 'state', data }, fence),
    updateBullMq: bullmq.progress,
    warn,
  });
  const lines = new JobLog(
    (line) =>
      Promise.all([
        publisher.publish(channel, { event: 'log', data: { jobId, attempt, ...line } }, fence),
        // Only a copy: the job does not depend on it.
        bullmq.log(line).catch(() => {}),
      ]),
    warn,
  );

  return {
    context: (signal) => ({
      jobId,
      attempt,
      signal,
      progress(update) {
        if (open) reporter.update(update);
      },
      stage(name) {
        if (open) reporter.stage(name);
      },
      log(levelOrMessage: string, message?: string, fields?: Record<string, unknown>) {
        if (!open) return;
        if (message === undefined) lines.write('info', levelOrMessage);
        else lines.write(levelOrMessage as LogLevel, message, fields);
      },
      files: jobFiles(store, jobId),
    }),
    async flush() {
      open = false;
      await reporter.flush();
      await lines.flush();
    },
    drop() {
      open = false;
      reporter.stop();
    },
  };
}
