import type { JobContext, JobFiles, LogLevel } from '../shared/job.js';
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
  context(signal: AbortSignal): JobContext;
  /** Ends it: resolves when Redis has everything that was said. What the run still says is thrown away. */
  flush(): Promise<void>;
  /** Ends it and forgets what was not sent yet. */
  drop(): void;
}

export function createReporting(options: ReportingOptions): Reporting {
  const { jobId, attempt, stages, limits, files, outlet } = options;
  const warn = (message: string): void => outlet.warn(message);
  let open = true;
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
      emit(type, data) {
        if (open) events.emit(type, data);
      },
      partial(chunk) {
        if (open) partials.add(chunk);
      },
      files,
    }),
    async flush() {
      open = false;
      // All are sent on their way before any is waited for.
      await Promise.all([partials.flush(), events.flush(), lines.flush(), reporter.flush()]);
    },
    drop() {
      open = false;
      reporter.stop();
      partials.stop();
    },
  };
}
