import type { Job } from 'bullmq';
import type { Gather } from '../shared/channel/gather.js';
import { jobChannel } from '../shared/channel/keys.js';
import type { Publisher } from '../shared/channel/publisher.js';
import type { ChildFailedError } from '../shared/errors.js';
import { jobFiles } from '../shared/files/job-files.js';
import type { FileStore } from '../shared/files/store.js';
import type { JobContext, JobDefinition, LogLevel, ProgressUpdate } from '../shared/job.js';
import type { Logger } from '../shared/log.js';
import { FailedChildren } from './children/failed.js';
import { type Part, RollUp } from './children/roll-up.js';
import { JobLog } from './job-log.js';
import { Reporter } from './reporter.js';

export interface ReportingOptions {
  publisher: Publisher;
  gather: Gather;
  store: FileStore;
  progressIntervalMs: number;
}

/** What one run says: the context through which it does, and the way of all of it to the channel. */
export interface Reporting {
  context(signal: AbortSignal): Omit<JobContext, 'child'>;
  /** Makes room for a child in the bar of the present stage. */
  part(weight: number): Part;
  /** Adds a line to the job's log that the job should see to. */
  warn(message: string): void;
  /** Says that a child failed or was cancelled. */
  childFailed(error: ChildFailedError): void;
  /** Ends it: resolves when Redis has everything that was said. What the run still says is thrown away. */
  flush(): Promise<void>;
  /** Ends it and forgets what was not sent yet. */
  drop(): void;
}

export function createReporting(
  { publisher, gather, store, progressIntervalMs }: ReportingOptions,
  jobId: string,
  job: Job,
  definition: JobDefinition,
  log: Logger,
): Reporting {
  const attempt = job.attemptsStarted;
  const channel = jobChannel(jobId);
  const fence = { attempt };
  const jobLog = log.child({ jobId, job: job.name, attempt });
  const warn = (message: string): void => jobLog.warn(message);
  let open = true;
  /** Whether the job has reported numbers of its own in the present stage. */
  let ownNumbers = false;
  const reporter = new Reporter({
    jobId,
    attempt,
    stages: definition.stages,
    intervalMs: progressIntervalMs,
    publish: (data) => publisher.publish(channel, { event: 'progress', kind: 'state', data }, fence),
    updateBullMq: (data) => new Promise((resolve) => gather(() => resolve(job.updateProgress(data)))),
    warn,
  });
  const lines = new JobLog(
    (line) => publisher.publish(channel, { event: 'log', data: { jobId, attempt, ...line } }, fence),
    warn,
  );
  const failedChildren = new FailedChildren(
    (data) => publisher.publish(channel, { event: 'child', data: { jobId, attempt, ...data } }, fence),
    warn,
  );
  let stage: string | undefined;
  let rollUp = openRollUp();

  /** The children of the present stage move its bar, as long as the job says nothing of its own. */
  function openRollUp(): RollUp {
    const mine: RollUp = new RollUp((state) => {
      if (open && rollUp === mine && !ownNumbers) reporter.update({ ...state, unit: 'jobs' });
    });
    return mine;
  }

  return {
    context: (signal) => ({
      jobId,
      attempt,
      signal,
      progress(update) {
        if (!open) return;
        ownNumbers ||= hasNumbers(update);
        reporter.update(update);
      },
      stage(name, options) {
        if (!open) return;
        reporter.stage(name, options?.weight);
        if (name === stage) return;
        stage = name;
        ownNumbers = false;
        rollUp = openRollUp();
      },
      log(levelOrMessage: string, message?: string, fields?: Record<string, unknown>) {
        if (!open) return;
        if (message === undefined) lines.write('info', levelOrMessage);
        else lines.write(levelOrMessage as LogLevel, message, fields);
      },
      files: jobFiles(store, jobId),
    }),
    warn(message) {
      if (open) lines.write('warn', message);
    },
    part: (weight) => rollUp.add(weight),
    childFailed(error) {
      if (open) failedChildren.add(error);
    },
    async flush() {
      open = false;
      await reporter.flush();
      await failedChildren.flush();
      await lines.flush();
    },
    drop() {
      open = false;
      reporter.stop();
    },
  };
}

/** Whether an update says more than words. */
function hasNumbers(update: ProgressUpdate | number): boolean {
  if (typeof update !== 'object' || update === null) return true;
  return update.percent !== undefined || update.current !== undefined || update.total !== undefined;
}
