import type { ProgressData } from './progress.js';

/** Destination for the reports of one run. Reports are kept until Redis has them. */
export interface ReportSink {
  /**
   * Publishes progress. Resolves when Redis has it; returns nothing if the caller need not wait.
   * @param reports how many reports of the job have led to it, for the metrics
   */
  progress(data: ProgressData, reports: number): Promise<unknown> | undefined;
  /** Updates the progress of the job in BullMQ. */
  bullMqProgress(data: ProgressData): Promise<unknown> | undefined;
  /**
   * Publishes an event that is kept and replayed.
   * @param json data of the event
   * @param onDone called once Redis has the event, or the event is dropped
   */
  event(name: string, json: string, onDone?: () => void): void;
  /** Adds a line to the log of the job in BullMQ. */
  bullMqLog(line: string, onDone?: () => void): void;
  /** Counts reports that were dropped. */
  lost(count: number): void;
  /** Writes a warning to the log of the worker. */
  warn(message: string): void;
  /** Returns the number of viewers of the job. */
  watchers(): Promise<number>;
  /** Handles acknowledgements that have arrived, for code that does not yield. */
  poll(): void;
  /** Resolves when Redis has all reports. */
  delivered(): Promise<unknown>;
  /** Discards reports that Redis does not have yet, because another worker has the job. */
  drop(): void;
}
