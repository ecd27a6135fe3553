import type { MessagePort } from 'node:worker_threads';
import type { FileStoreOptions } from '../../../shared/files/store.js';
import type { ReportingLimits } from '../../reporting/context.js';
import type { PackedError } from './errors.js';

/** What every thread of a pool is given at its start. */
export interface ThreadSetup {
  files: FileStoreOptions;
  limits: ReportingLimits;
  /** The path below which clients see the service. */
  basePath: string;
  /** Redis' clock, as the main thread keeps it. */
  clock: SharedArrayBuffer;
}

/** One attempt at a job, for a thread to run. */
export interface ThreadTask {
  /** The file with the definition. */
  file: string;
  jobId: string;
  attempt: number;
  data: unknown;
  port: MessagePort;
}

/** What came of it. */
export type TaskOutcome = { result: unknown } | { error: PackedError };

/** An error that nobody caught in a thread, with what is to be logged about it. */
export interface Leftover {
  jobId: string;
  error: PackedError;
  message: string;
}
