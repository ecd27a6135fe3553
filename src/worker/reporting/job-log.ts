import type { LogLevel } from '../../shared/jobs/definition.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Missing } from './bound.js';
import { toJson } from './json.js';
import type { ReportSink } from './sink.js';

const MAX_MESSAGE = 10_000;
const MAX_FIELDS_BYTES = 16 * 1024;

export interface LogLine {
  level: LogLevel;
  message: string;
  fields?: unknown;
  /** Number of missing reports at this position of the stream, by kind. */
  missing?: Missing;
  at: number;
}

/** Formats a line as text, for tools that show only text. */
export function lineText({ level, message, fields, at }: LogLine): string {
  const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
  return `${new Date(at).toISOString()} ${level} ${message}${more}`;
}

/** A line in the two formats that are sent. */
export interface LineTexts {
  /** Data of the `log` event for viewers. */
  json: string;
  /** Text for BullMQ's log. */
  plain: string;
}

export const lineTexts = (origin: { jobId: string; attempt: number }, line: LogLine): LineTexts => ({
  json: JSON.stringify({ ...origin, ...line }),
  plain: lineText(line),
});

/**
 * Sends a line to the viewers of a job and a copy to BullMQ's log.
 * @param onDone called when Redis has both
 */
export function sendLine(sink: ReportSink, { json, plain }: LineTexts, onDone?: () => void): void {
  let pending = 2;
  const acknowledge = (): void => {
    if (--pending === 0) onDone?.();
  };
  sink.event('log', json, acknowledge);
  sink.bullMqLog(plain, acknowledge);
}

const NAMES: Record<keyof Missing, string> = {
  log: 'log lines',
  event: 'events',
  partial: 'partial results',
  other: 'reports',
};

/** Creates the line that says how many reports are missing at its position in the stream. */
export function missingLine(missing: Missing): LogLine {
  const what = Object.entries(missing).map(([kind, count]) => `${count} ${NAMES[kind as keyof Missing]}`);
  const why = missing.other ? 'Redis lost or refused them' : 'the job reported faster than Redis accepts';
  return { level: 'warn', message: `${what.join(', ')} dropped: ${why}`, missing, at: serverNow() };
}

export interface JobLogOptions {
  /** Maximum number of lines of an attempt. */
  maxLines: number;
  publish: (line: LogLine) => void;
}

/** The log of one attempt. Lines over the limit are dropped; a warning at the limit and one at the end say so. */
export class JobLog {
  private written = 0;
  private overLimit = 0;

  constructor(private readonly options: JobLogOptions) {}

  write(level: LogLevel, message: string, fields?: unknown): void {
    if (this.written >= this.options.maxLines) {
      if (this.overLimit++ === 0) {
        this.warn(
          `log limit of ${this.written} lines reached (JOB_LOG_LINES); further lines of this attempt are dropped`,
        );
      }
      return;
    }
    this.written++;
    const given = String(message);
    const text = given.length > MAX_MESSAGE ? `${given.slice(0, MAX_MESSAGE)}… (cut)` : given;
    this.options.publish({
      level,
      message: text,
      ...(fields == null ? {} : { fields: loggable(fields) }),
      at: serverNow(),
    });
  }

  /** Logs how many lines were dropped. */
  finish(): void {
    if (this.overLimit > 0) this.warn(`${this.overLimit} log lines over the limit were dropped`);
    this.overLimit = 0;
  }

  private warn(message: string): void {
    this.options.publish({ level: 'warn', message, at: serverNow() });
  }
}

/** Replaces fields that cannot be published: a log line must not fail a job. */
function loggable(fields: unknown): unknown {
  try {
    toJson(fields, 'the value of fields', MAX_FIELDS_BYTES);
    return fields;
  } catch (error) {
    return { omitted: (error as Error).message };
  }
}
