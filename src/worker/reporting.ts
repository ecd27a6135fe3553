import type { ChildFailedError } from '../shared/errors.js';
import type { JobContext, JobFiles, LogLevel, ProgressUpdate } from '../shared/job.js';
import { FailedChildren } from './children/failed.js';
import { type Part, RollUp } from './children/roll-up.js';
import { CustomEvents } from './custom-events.js';
import { JobLog, lineText } from './job-log.js';
import type { Outlet } from './outlet.js';
import { Partials } from './partials.js';
import { Reporter } from './reporter.js';

/** How often and how much a run may say. */
export interface ReportingLimits {
  progressIntervalMs: number;
  partialMaxBytes: number;
  logLines: number;
}

export interface ReportingOptions {
  jobId: string;
  attempt: number;
  stages: Record<string, number> | undefined;
  limits: ReportingLimits;
  files: JobFiles;
  outlet: Outlet;
}

/** What one run says: the context through which it does, and the way of all of it to the outlet. */
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

export function createReporting(options: ReportingOptions): Reporting {
  const { jobId, attempt, stages, limits, files, outlet } = options;
  const warn = (message: string): void => outlet.warn(message);
  let open = true;
  /** Whether the job has reported numbers of its own in the present stage. */
  let ownNumbers = false;
  const reporter = new Reporter({
    jobId,
    attempt,
    stages,
    intervalMs: limits.progressIntervalMs,
    publish: (data) => outlet.progress(data),
    updateBullMq: (data) => outlet.bullMqProgress(data),
    warn,
  });
  const lines = new JobLog({
    maxLines: limits.logLines,
    publish: (line) =>
      Promise.all([
        outlet.event('log', JSON.stringify({ jobId, attempt, ...line })),
        // Only a copy for other tools, and gone with the job.
        outlet.bullMqLog(lineText(line)).catch(() => {}),
      ]),
    warn,
  });
  const partials = new Partials({
    jobId,
    attempt,
    intervalMs: limits.progressIntervalMs,
    maxBytes: limits.partialMaxBytes,
    publish: (json) => outlet.event('partial', json),
    warn,
  });
  const events = new CustomEvents({ jobId, attempt }, (type, json) => outlet.event(type, json), warn);
  const failedChildren = new FailedChildren(
    (data) => outlet.event('child', JSON.stringify({ jobId, attempt, ...data })),
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
      emit(type, data) {
        if (open) events.emit(type, data);
      },
      partial(chunk) {
        if (open) partials.add(chunk);
      },
      files,
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
      // All are sent on their way before any is waited for.
      await Promise.all([
        partials.flush(),
        events.flush(),
        failedChildren.flush(),
        lines.flush(),
        reporter.flush(),
      ]);
    },
    drop() {
      open = false;
      reporter.stop();
      partials.stop();
    },
  };
}

/** Whether an update says more than words. */
function hasNumbers(update: ProgressUpdate | number): boolean {
  if (typeof update !== 'object' || update === null) return true;
  return update.percent !== undefined || update.current !== undefined || update.total !== undefined;
}
