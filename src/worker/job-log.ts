import type { LogLevel } from '../shared/job.js';
import { InFlight } from './in-flight.js';
import { toJson } from './json.js';
import type { Outlet } from './outlet.js';

const MAX_IN_FLIGHT = 1000;
const MAX_MESSAGE = 10_000;
const MAX_FIELDS_BYTES = 16 * 1024;

export interface LogLine {
  level: LogLevel;
  message: string;
  fields?: unknown;
  at: number;
}

/** A line as text, for tools that show nothing else. */
export function lineText({ level, message, fields, at }: LogLine): string {
  const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
  return `${new Date(at).toISOString()} ${level} ${message}${more}`;
}

/** Sends a line to the viewers of a job and, as a copy that is no reason to fail, to BullMQ's own log of it. */
export function sendLine(
  outlet: Outlet,
  of: { jobId: string; attempt: number },
  line: LogLine,
): Promise<unknown> {
  return Promise.all([
    outlet.event('log', JSON.stringify({ ...of, ...line })),
    outlet.bullMqLog(lineText(line)).catch(() => {}),
  ]);
}

export interface JobLogOptions {
  /** An attempt writes at most this many lines. */
  maxLines: number;
  publish: (line: LogLine) => Promise<unknown>;
  warn: (message: string) => void;
}

/**
 * The log of one attempt. Lines go out at once, in order. What is over the limit is left out, and so is the surplus when
 * a job writes faster than Redis takes it; lines of our own say that and how many.
 */
export class JobLog {
  private readonly inFlight: InFlight;
  private written = 0;
  private overLimit = 0;
  private tooFast = 0;

  constructor(private readonly options: JobLogOptions) {
    this.inFlight = new InFlight((error) => options.warn(`a log line could not be published: ${error}`));
  }

  write(level: LogLevel, message: string, fields?: unknown): void {
    if (this.written >= this.options.maxLines) {
      if (this.overLimit++ === 0) {
        this.say(`${this.written} lines written (JOB_LOG_LINES): further ones of this attempt are left out`);
      }
      return;
    }
    if (this.inFlight.size >= MAX_IN_FLIGHT) {
      this.tooFast++;
      return;
    }
    this.noteTooFast();
    this.written++;
    const given = String(message);
    const text = given.length > MAX_MESSAGE ? `${given.slice(0, MAX_MESSAGE)}… (cut)` : given;
    this.send({
      level,
      message: text,
      ...(fields == null ? {} : { fields: loggable(fields) }),
      at: Date.now(),
    });
  }

  async flush(): Promise<void> {
    await this.inFlight.landed();
    this.noteTooFast();
    if (this.overLimit > 0) this.say(`${this.overLimit} log lines over the limit were left out`);
    this.overLimit = 0;
    await this.inFlight.landed();
  }

  private noteTooFast(): void {
    if (this.tooFast > 0)
      this.say(`${this.tooFast} log lines left out: they came faster than Redis took them`);
    this.tooFast = 0;
  }

  private say(message: string): void {
    this.send({ level: 'warn', message, at: Date.now() });
  }

  private send(line: LogLine): void {
    this.inFlight.add(this.options.publish(line));
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
