import type { Readable } from 'node:stream';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ResultFile, StoredFile } from '../files/store.js';

export type { Action, Asker, Authorize } from '../auth/authorize.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * What a processor reports: either counts (`current` of `total`, in `unit`) or a bare percent (0-100).
 * With neither `total` nor `percent` the bar is indeterminate.
 */
export interface ProgressUpdate {
  current?: number;
  total?: number;
  percent?: number;
  unit?: string;
  message?: string;
}

/** What a processor gets beside its data. */
export interface JobContext {
  readonly jobId: string;
  /** 1 for the first run; each retry and each run after a stall counts one more. */
  readonly attempt: number;
  /** Aborted when this run has to stop: cancelled, over its time, or its worker is shutting down or has lost it. */
  readonly signal: AbortSignal;
  /**
   * Reports progress. Nearly free in a hot loop: updates are coalesced. A bare number is a percent (0-100).
   * Values that are not finite or negative are ignored with one warning, values over the total are cut to
   * it, and the bar never goes back within an attempt.
   * @returns as `log`
   */
  progress(update: ProgressUpdate | number): Promise<void>;
  /**
   * Enters a stage. From now on `progress` counts within the stage; the overall percent is made from the
   * weights of the stages.
   * @param name one of the definition's `stages`, or another: that one is added after them. It makes the whole
   *   larger, so the bar rests until the work has caught up with it: declare what is known beforehand.
   * @param options.weight the share of a stage that is not declared: any positive number, 1 by default
   * @throws RangeError for a weight that is none, an empty name, or the 1001st stage
   */
  stage(name: string, options?: { weight?: number }): void;
  /**
   * Adds a line to the job's log, which every viewer sees in order. The level is `info` unless given. An attempt
   * writes `JOB_LOG_LINES` lines at most; `fields` that have no JSON form or more than 16 KiB of it are left out.
   *
   * Whatever happens between the worker and Redis, a line arrives once and in order. `await` is only needed by a job that
   * writes faster than Redis takes it: past 4 MiB or 10,000 reports that wait, further ones are left out, and the stream
   * says how many.
   * @returns a promise that resolves at once, or, while more than 256 KiB or 1000 reports wait for Redis, when there is room
   *   again. It never rejects.
   */
  log(message: string): Promise<void>;
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): Promise<void>;
  /**
   * Sends an event of the job's own kind to its viewers. Each one is kept and comes in order, also to those who come
   * later.
   * @param type 1 to 100 of A-Z a-z 0-9 . _ : - and none of the names that Headway uses itself
   * @param data anything with a JSON form of at most 64 KiB
   * @returns as `log`
   * @throws TypeError, RangeError for what cannot be sent
   */
  emit(type: string, data: unknown): Promise<void>;
  /**
   * Gives a piece of the result before the end. Viewers get all pieces in order, also those who come later. Pieces that
   * come close together travel as one event: text is joined, other values go as a list. A new attempt begins anew.
   * @param chunk text, or anything else with a JSON form; at most 64 KiB as JSON
   * @returns as `log`
   * @throws TypeError, RangeError for a chunk that cannot be sent, or one past the `PARTIAL_MAX_BYTES` of an attempt
   */
  partial(chunk: unknown): Promise<void>;
  /**
   * How many watch this job now, over all API processes: so that it can leave out what nobody would see. At most a second
   * old; an API process that does not answer in half a second is not counted.
   */
  watchers(): Promise<number>;
  /**
   * Starts a child job and waits for it. A child is a job of its own: with an id, a URL and a stream, of the same
   * owner. Its progress moves this job's bar, unless this job reports numbers of its own in the stage: the bar is the
   * weighted mean over the children started in the stage, one that ended counting in full.
   *
   * In a later attempt the same call finds the child of the earlier one: its result if it completed, itself if it
   * runs; if it failed it is started again. Calls are told apart by the kind of job and `key`, or their order.
   *
   * Children that have not ended when this job does (it returns without waiting, fails, is cancelled) are cancelled.
   * @returns the child's result
   * @throws ChildFailedError when the child fails or is cancelled: the choice of what to do is this job's
   * @throws PermanentError for an unknown kind, data or options that do not fit, or a child that would share a queue
   *   with a job above it (which could wait for a place that it holds itself)
   */
  child<R = unknown>(
    name: string,
    data: unknown,
    options: ChildOptions & { onFailure: 'ignore' },
  ): Promise<R | undefined>;
  child<R = unknown>(name: string, data: unknown, options?: ChildOptions): Promise<R>;
  readonly files: JobFiles;
}

/** As `options` of `POST /v1/jobs`; each goes before the default of the child's definition. */
export interface ChildJobOptions {
  attempts?: number;
  backoff?: Backoff;
  delayMs?: number;
  runAt?: string;
  priority?: number;
  ttlMs?: number;
  timeoutMs?: number;
  metadata?: Record<string, unknown>;
  tags?: string[];
}

/** How a child is started, and what its failure means. */
export interface ChildOptions {
  /** Its share of the parent's bar: any positive number. Default 1. */
  weight?: number;
  /**
   * Names the child within its parent (200 characters at most). Default: the number of the call, which does where a
   * parent makes the same calls in the same order each time.
   */
  key?: string;
  options?: ChildJobOptions;
  /**
   * What happens when it fails or is cancelled. `reject` (default): the promise rejects. `ignore`: the promise
   * resolves to `undefined`. `fail`: this job's run is stopped and fails, whether anybody waits for the promise or not.
   */
  onFailure?: 'reject' | 'ignore' | 'fail';
}

/** The files a job reads and makes. It never sees or chooses a path outside of them. */
export interface JobFiles {
  /** @throws HeadwayError `unknown-file` */
  open(id: string): Promise<StoredFile & { path: string; stream(): Readable }>;
  /**
   * Makes a result file: `write` is given a path that does not exist yet and fills it (no other process sees
   * the file before that). Put what comes back into the job's result; viewers of the job can download it.
   */
  create(name: string, write: (path: string) => Promise<void>): Promise<ResultFile>;
  /** Removes a file that was only needed on the way; what is not there needs no removing. */
  remove(id: string): Promise<void>;
}

/**
 * How long to wait before the next attempt, in ms: always `delayMs`, or twice as long each time. With `jitter` (0 to 1)
 * that share of it is random; it is 0.5 for exponential ones, so that what failed together does not come back together.
 */
export interface Backoff {
  type: 'fixed' | 'exponential';
  delayMs: number;
  jitter?: number | undefined;
}

/** What a job is when a call does not say otherwise. */
export interface JobDefaults {
  /** Runs at most, the first included. Default 1. */
  attempts?: number;
  /** Wait before the next attempt. Default: none. */
  backoff?: Backoff;
  /** A run that takes longer is stopped and the job fails, with the code `timeout`. Default: no limit. */
  timeoutMs?: number;
  /** How long a run may take to clean up when it is told to stop; then it is left alone. Default 5000. */
  cancelGraceMs?: number;
  /** A job that has not been begun this long after its start (or its due time) fails, with the code `expired`. */
  ttlMs?: number;
  /** How long it is kept after its end, with its log, files and channel. Default: `KEEP_JOBS_MS`. */
  keepMs?: number;
}

/** One kind of job: a file in `src/worker/jobs` or in `JOBS_DIR` default-exports one. */
export interface JobDefinition<
  I extends StandardSchemaV1 = StandardSchemaV1,
  O extends StandardSchemaV1 = StandardSchemaV1,
> {
  /** Lower-case letters, digits and dashes; unique. */
  name: string;
  /** One line for people, shown on the page. */
  description?: string;
  /** Schema of the data (any Standard Schema library). The API validates with it before it queues. */
  input: I;
  /** Schema of the result. A result that does not fit fails the attempt. */
  result: O;
  /** Stages in order, each with its share of the whole (any positive numbers). */
  stages?: Record<string, number>;
  defaults?: JobDefaults;
  /** Only Headway itself starts it: it is not listed, and nobody can start it over HTTP. */
  internal?: boolean;
  /** The BullMQ queue it is in. Default: one of its own, or that of all (`QUEUE_NAME`). */
  queue?: string;
  /** How many one worker process runs at a time. Default: `WORKER_CONCURRENCY`. */
  concurrency?: number;
  /** At most `max` are begun in `perMs`, over all workers. */
  rateLimit?: { max: number; perMs: number };
  /**
   * Runs in a thread of its own, so that long computations hold up nothing else. The result must survive structured
   * clone. Code that never yields sees its signal aborted only after a call of `ctx`; past its grace time, its thread is
   * ended.
   */
  thread?: boolean;
  run(
    data: StandardSchemaV1.InferOutput<I>,
    ctx: JobContext,
  ): Promise<StandardSchemaV1.InferInput<O>> | StandardSchemaV1.InferInput<O>;
}

/** Types a job definition; returns it unchanged. The registry checks it at start. */
export function defineJob<I extends StandardSchemaV1, O extends StandardSchemaV1>(
  definition: JobDefinition<I, O>,
): JobDefinition<I, O> {
  return definition;
}

export { ChildFailedError, PermanentError } from '../errors.js';
export { fileId, resultFile } from '../files/reference.js';
