import type { MessagePort } from 'node:worker_threads';
import type { FileStoreOptions } from '../../../shared/files/store.js';
import type { ReportingLimits } from '../../reporting/context.js';
import type { PackedError } from './errors.js';

/** Data that every thread of the pool gets at its start. */
export interface ThreadSetup {
  files: FileStoreOptions;
  limits: ReportingLimits;
  /** Path prefix of the service in URLs for clients. */
  basePath: string;
  /** The clock of Redis, maintained by the main thread. */
  clock: SharedArrayBuffer;
}

/** One attempt of a job to run in a thread. */
export interface ThreadTask {
  /** The file with the definition. */
  file: string;
  jobId: string;
  attempt: number;
  data: unknown;
  /** The maximum memory in MiB, of JavaScript objects and of buffers. */
  memoryMb: number;
  /** The folder for copies of files, which the main thread removes. `undefined` if none are needed. */
  workspace: string | undefined;
  port: MessagePort;
}

/** The outcome of a task. */
export type TaskOutcome = { result: unknown } | { error: PackedError };

/** An uncaught error in a thread, with the message to log. */
export interface Leftover {
  jobId: string;
  error: PackedError;
  message: string;
}
