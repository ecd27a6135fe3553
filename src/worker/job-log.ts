import type { LogLevel } from '../shared/job.js';

const MAX_IN_FLIGHT = 1000;
const MAX_MESSAGE = 10_000;

export interface LogLine {
  level: LogLevel;
  message: string;
  fields?: Record<string, unknown>;
  at: number;
}

/**
 * The log of one attempt. Lines go out at once, in order; when a job writes faster than Redis takes them, the
 * surplus is left out and a line says how much.
 */
export class JobLog {
  private readonly inFlight = new Set<Promise<unknown>>();
  private leftOut = 0;

  constructor(
    private readonly publish: (line: LogLine) => Promise<unknown>,
    private readonly warn: (message: string) => void,
  ) {}

  write(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    if (this.inFlight.size >= MAX_IN_FLIGHT) {
      this.leftOut++;
      return;
    }
    this.noteLeftOut();
    const text = message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}… (cut)` : message;
    this.send({ level, message: text, ...(fields ? { fields } : {}), at: Date.now() });
  }

  async flush(): Promise<void> {
    while (this.inFlight.size > 0) await Promise.all(this.inFlight);
    this.noteLeftOut();
    await Promise.all(this.inFlight);
  }

  private noteLeftOut(): void {
    if (this.leftOut === 0) return;
    const message = `${this.leftOut} log lines left out: they came faster than Redis took them`;
    this.leftOut = 0;
    this.send({ level: 'warn', message, at: Date.now() });
  }

  private send(line: LogLine): void {
    const done: Promise<unknown> = this.publish(line)
      .catch((error) => this.warn(`a log line could not be published: ${error}`))
      .finally(() => this.inFlight.delete(done));
    this.inFlight.add(done);
  }
}
