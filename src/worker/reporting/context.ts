import type { JobContext, JobFiles, LogLevel, ProgressUpdate } from '../../shared/jobs/definition.js';
import type { EventSchemas } from '../../shared/jobs/types.js';
import { ReportBound, type ReportKind } from './bound.js';
import { CustomEvents } from './custom-events.js';
import { JobLog, lineTexts, missingLine, sendLine } from './job-log.js';
import { Partials } from './partials.js';
import { ProgressReporter } from './progress-reporter.js';
import { type AddPart, RollUp } from './roll-up.js';
import type { ReportSink } from './sink.js';

/** Limits for the reports of a run. */
export interface ReportingLimits {
  progressIntervalMs: number;
  partialMaxBytes: number;
  logLines: number;
}

export interface ReportingOptions {
  jobId: string;
  attempt: number;
  stages: Record<string, number> | undefined;
  /** The schemas of custom events; `undefined` if the definition has none. */
  events?: EventSchemas | undefined;
  limits: ReportingLimits;
  files: JobFiles;
  sink: ReportSink;
}

/** The reports of one run: the context that the job reports through, and the delivery of the reports to the sink. */
export interface Reporting {
  context(signal: AbortSignal): Omit<JobContext, 'child'>;
  /** Returns the progress bar of the current stage, to which new children are added. */
  bar(): AddPart;
  /** Ends reporting and resolves when Redis has all reports. Later reports of the run are discarded. */
  flush(): Promise<void>;
  /** Ends reporting and discards reports that were not sent yet. */
  drop(): void;
}

export function createReporting(options: ReportingOptions): Reporting {
  const { jobId, attempt, stages, limits, files, sink } = options;
  const warn = (message: string): void => sink.warn(message);
  let open = true;
  /** Whether the job has reported numbers in the current stage. */
  let ownNumbers = false;
  const reporter = new ProgressReporter({
    jobId,
    attempt,
    stages,
    intervalMs: limits.progressIntervalMs,
    publish: (data, reports) => sink.progress(data, reports),
    updateBullMq: (data) => sink.bullMqProgress(data),
    warn,
  });
  const bound = new ReportBound(publishMissing);
  const lines = new JobLog({
    maxLines: limits.logLines,
    publish(line) {
      const texts = lineTexts({ jobId, attempt }, line);
      const bytes = texts.json.length + texts.plain.length;
      if (hasRoom('log', bytes)) sendLine(sink, texts, () => bound.taken(bytes));
    },
  });
  const partials = new Partials({
    jobId,
    attempt,
    intervalMs: limits.progressIntervalMs,
    maxBytes: limits.partialMaxBytes,
    publish: (json) => publishEvent('partial', 'partial', json),
  });
  const events = new CustomEvents(
    { jobId, attempt },
    (type, json) => publishEvent('event', type, json),
    options.events,
  );

  function hasRoom(kind: ReportKind, bytes: number): boolean {
    if (!bound.fits(bytes)) sink.poll();
    return bound.add(kind, bytes);
  }
  function publishEvent(kind: ReportKind, event: string, json: string): void {
    const bytes = json.length;
    if (hasRoom(kind, bytes)) sink.event(event, json, () => bound.taken(bytes));
  }
  function publishMissing(): void {
    const missing = bound.takeMissing();
    if (!missing) return;
    sink.lost(Object.values(missing).reduce((sum, count) => sum + count, 0));
    sendLine(sink, lineTexts({ jobId, attempt }, missingLine(missing)));
  }
  let stage: string | undefined;
  let rollUp = openRollUp();

  /** Children move the progress of their stage as long as the job reports no numbers itself. */
  function openRollUp(): RollUp {
    const opened: RollUp = new RollUp((state) => {
      if (open && rollUp === opened && !ownNumbers) reporter.update({ ...state, unit: 'jobs' });
    });
    return opened;
  }

  return {
    context: (signal) => ({
      jobId,
      attempt,
      signal,
      progress(update) {
        if (open) {
          ownNumbers ||= hasNumbers(update);
          reporter.update(update);
        }
        return bound.room();
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
        if (open) {
          if (message === undefined) lines.write('info', levelOrMessage);
          else lines.write(levelOrMessage as LogLevel, message, fields);
        }
        return bound.room();
      },
      emit(type, data) {
        if (open) events.emit(type, data);
        return bound.room();
      },
      partial(chunk) {
        if (open) partials.add(chunk);
        return bound.room();
      },
      files,
      watchers: () => sink.watchers(),
    }),
    bar() {
      const current = rollUp;
      return (weight) => current.add(weight);
    },
    async flush() {
      open = false;
      // Send everything before waiting for anything.
      partials.finish();
      lines.finish();
      await Promise.all([reporter.flush(), sink.delivered()]);
      publishMissing();
      await sink.delivered();
    },
    drop() {
      open = false;
      reporter.stop();
      partials.stop();
      sink.drop();
    },
  };
}

/** Whether an update contains numbers, not only texts. */
function hasNumbers(update: ProgressUpdate | number): boolean {
  if (typeof update !== 'object' || update === null) return true;
  return update.percent !== undefined || update.current !== undefined || update.total !== undefined;
}
