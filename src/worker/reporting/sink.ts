import type { ProgressData } from './progress.js';

/** Destination for what one run reports. What is put here is kept until Redis has it, whatever happens in between. */
export interface ReportSink {
  /** Resolves when Redis has it; nothing comes back where the sender need not wait. */
  progress(data: ProgressData): Promise<unknown> | undefined;
  /** BullMQ's own progress of the job. */
  bullMqProgress(data: ProgressData): Promise<unknown> | undefined;
  /**
   * An event that is kept and replayed.
   * @param json its data
   * @param onTaken called once Redis has it, or it is given up
   */
  event(name: string, json: string, onTaken?: () => void): void;
  /** A line of BullMQ's own log of the job. */
  bullMqLog(line: string, onTaken?: () => void): void;
  /** For the log of the worker. */
  warn(message: string): void;
  /** How many watch the job. */
  watchers(): Promise<number>;
  /** Hears what was taken meanwhile: for code that does not yield. */
  poll(): void;
  /** Resolves when Redis has all of it. */
  landed(): Promise<unknown>;
  /** Forgets what Redis does not have yet: another worker has the job. */
  drop(): void;
}
