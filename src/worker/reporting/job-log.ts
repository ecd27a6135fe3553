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
  /** What the stream lacks at this place, by kind. */
  missing?: Missing;
  at: number;
}

/** A line as text, for tools that show nothing else. */
export function lineText({ level, message, fields, at }: LogLine): string {
  const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
  return `${new Date(at).toISOString()} ${level} ${message}${more}`;
}

/** A line in the two forms in which it is sent. */
export interface LineTexts {
  /** For the viewers of the job. */
  json: string;
  /** For BullMQ's own log. */
  plain: string;
}

export const lineTexts = (of: { jobId: string; attempt: number }, line: LogLine): LineTexts => ({
  json: JSON.stringify({ ...of, ...line }),
  plain: lineText(line),
});

/**
 * Sends a line to the viewers of a job and, as a copy, to BullMQ's own log of it.
 * @param onTaken called once Redis has both
 */
export function sendLine(sink: ReportSink, { json, plain }: LineTexts, onTaken?: () => void): void {
  let left = 2;
  const one = (): void => {
    if (--left === 0) onTaken?.();
  };
  sink.event('log', json, one);
  sink.bullMqLog(plain, one);
}

const NAMES: Record<keyof Missing, string> = {
  log: 'log lines',
  event: 'events',
  partial: 'partial results',
  other: 'reports',
};

/** The line that says how much is missing at its place in the stream. */
export function missingLine(missing: Missing): LogLine {
  const what = Object.entries(missing).map(([kind, count]) => `${count} ${NAMES[kind as keyof Missing]}`);
  const why = missing.other ? 'Redis has lost or refused them' : 'they came faster than Redis took them';
  return { level: 'warn', message: `${what.join(', ')} left out: ${why}`, missing, at: serverNow() };
}

export interface JobLogOptions {
  /** An attempt writes at most this many lines. */
  maxLines: number;
  publish: (line: LogLine) => void;
}

/** The log of one attempt. Lines over the limit are left out; lines of our own say that and how many. */
export class JobLog {
  private written = 0;
  private overLimit = 0;

  constructor(private readonly options: JobLogOptions) {}

  write(level: LogLevel, message: string, fields?: unknown): void {
    if (this.written >= this.options.maxLines) {
      if (this.overLimit++ === 0) {
        this.say(`${this.written} lines written (JOB_LOG_LINES): further ones of this attempt are left out`);
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

  /** Says how many lines were left out. */
  finish(): void {
    if (this.overLimit > 0) this.say(`${this.overLimit} log lines over the limit were left out`);
    this.overLimit = 0;
  }

  private say(message: string): void {
    this.options.publish({ level: 'warn', message, at: serverNow() });
  }
}

/** Fields as they can be published; a log line is no reason for a job to fail. */
function loggable(fields: unknown): unknown {
  try {
    toJson(fields, 'what the line had', MAX_FIELDS_BYTES);
    return fields;
  } catch (error) {
    return { omitted: (error as Error).message };
  }
}
