import type { Readable } from 'node:stream';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ChildFailedError, PermanentError } from '../errors.js';
import type { ResultFile, StoredFile } from '../files/contract.js';
import type { EmittedEvent, EventSchemas, JobInput, JobResult, NoEvents } from './types.js';

export type { Action, Asker, Authorize } from '../auth/authorize.js';
export type { EventSchemas, JobInput, JobResult, NoEvents } from './types.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * A progress report of a job: either counts (`current` of `total`, in `unit`) or a percentage (0 to 100). Without `total`
 * and `percent`, the progress bar is indeterminate.
 */
export interface ProgressUpdate {
  current?: number;
  total?: number;
  percent?: number;
  unit?: string;
  message?: string;
}

/** The second argument of a job's `run`. `E` are the `events` of the definition. */
export interface JobContext<E extends EventSchemas = EventSchemas> {
  readonly jobId: string;
  /** The number of the run, from 1. Retries and runs after a stall count. */
  readonly attempt: number;
  /** Aborted when this run must stop: the job was cancelled or timed out, or the worker shuts down or has lost the job. */
  readonly signal: AbortSignal;
  /**
   * Reports progress. Updates are coalesced, so calls in a hot loop cost almost nothing. A number is a percentage (0 to
   * 100). Negative and non-finite values are ignored with one warning, values above the total are reduced to it, and
   * progress never decreases within an attempt.
   * @returns as for `log`
   */
  progress(update: ProgressUpdate | number): Promise<void>;
  /**
   * Starts a stage. From now on, `progress` counts within the stage. The overall percentage follows from the weights of
   * the stages.
   * @param name one of the definition's `stages`, or a new one, which is added after them. A new stage enlarges the whole,
   *   so the bar pauses until the work has caught up. Therefore declare the stages that are known beforehand.
   * @param options.weight the weight of an undeclared stage, a positive number. Defaults to 1.
   * @throws RangeError for an invalid weight, an empty name, or the 1001st stage
   */
  stage(name: string, options?: { weight?: number }): void;
  /**
   * Adds a line to the job's log, which every viewer sees in order. The level defaults to `info`. An attempt can write
   * `JOB_LOG_LINES` lines. `fields` that cannot be converted to JSON, or exceed 16 KiB of it, are omitted.
   *
   * A line arrives exactly once and in order, even after a lost connection to Redis. Await the result only in a job that can
   * write faster than Redis accepts: beyond 4 MiB or 10,000 pending reports, further ones are dropped, and the stream says
   * how many.
   * @returns a promise that resolves at once or, while more than 256 KiB or 1,000 reports are pending, when there is room
   *   again. It never rejects.
   */
  log(message: string): Promise<void>;
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): Promise<void>;
  /**
   * Sends a custom event to the job's viewers. All events are kept in order, including for viewers that connect later.
   *
   * If the definition has `events`, only those can be sent, and viewers get what their schemas make of the data. Otherwise
   * `type` has 1 to 100 characters of A-Z a-z 0-9 . _ : - and is not one of Headway's event names.
   * @param event the type, and data that can be converted to JSON, at most 64 KiB of it
   * @returns as for `log`
   * @throws TypeError, RangeError for an invalid type or value
   */
  emit(...event: EmittedEvent<E>): Promise<void>;
  /**
   * Publishes a piece of the result before the job ends. All viewers get all pieces in order, even if they connect later.
   * Pieces in quick succession are sent as one event: text is joined, other values become a list. A new attempt starts
   * with the first piece again.
   * @param chunk text or any other value that can be converted to JSON, at most 64 KiB of it
   * @returns as for `log`
   * @throws TypeError, RangeError for an invalid chunk, or when the attempt exceeds `PARTIAL_MAX_BYTES`
   */
  partial(chunk: unknown): Promise<void>;
  /**
   * Returns the number of the job's viewers over all API processes, so that the job can skip work that nobody would see. The
   * number is at most a second old. An API process that does not answer within half a second is not counted.
   */
  watchers(): Promise<number>;
  /**
   * Starts a child job and waits for its end. A child is a separate job with an id, a URL and a stream, and has the same
   * owner. Its progress contributes to this job's progress, unless this job reports progress in the same stage: the stage's
   * progress is the weighted mean over the children that were started in it. A child that has ended counts in full.
   *
   * In a later attempt, the same call finds the child of the earlier attempt: a completed child returns its result, a
   * running one is awaited, a failed one is retried. Calls are matched by the kind of job and `key`, or by their order.
   *
   * When this job ends in any way, its children that have not ended are cancelled.
   * @param job the definition of the child, which types its data and result, or the name of its kind
   * @returns the child's result
   * @throws ChildFailedError when the child fails or is cancelled
   * @throws PermanentError for an unknown kind, invalid data or options, or a child in the same queue as an ancestor, which
   *   could wait for a permit that the ancestor holds
   */
  child<R = unknown>(
    job: string,
    data: unknown,
    options: ChildOptions & { onFailure: 'ignore' },
  ): Promise<R | undefined>;
  child<R = unknown>(job: string, data: unknown, options?: ChildOptions): Promise<R>;
  child<I extends StandardSchemaV1, O extends StandardSchemaV1>(
    job: ChildDefinition<I, O>,
    data: JobInput<I>,
    options: ChildOptions & { onFailure: 'ignore' },
  ): Promise<JobResult<O> | undefined>;
  child<I extends StandardSchemaV1, O extends StandardSchemaV1>(
    job: ChildDefinition<I, O>,
    data: JobInput<I>,
    options?: ChildOptions,
  ): Promise<JobResult<O>>;
  readonly files: JobFiles;
}

/** The part of a definition that starts a child. */
interface ChildDefinition<I extends StandardSchemaV1, O extends StandardSchemaV1> {
  name: string;
  input: I;
  result: O;
}

/** The options of a child, as in `POST /v1/jobs`. Each overrides the default of the child's definition. */
export interface ChildJobOptions {
  attempts?: number;
  backoff?: Backoff;
  delayMs?: number;
  runAt?: string;
  priority?: number;
  ttlMs?: number;
  timeoutMs?: number;
  title?: string;
  metadata?: Record<string, unknown>;
  tags?: string[];
}

/** Options of `ctx.child`. */
export interface ChildOptions {
  /** The weight of the child in the parent's progress, a positive number. Defaults to 1. */
  weight?: number;
  /**
   * Identifies the child within its parent, at most 200 characters. Defaults to the number of the call, which is enough
   * when each attempt makes the same calls in the same order.
   */
  key?: string;
  options?: ChildJobOptions;
  /**
   * What happens when the child fails or is cancelled. `reject`: the promise rejects. `ignore`: the promise resolves to
   * `undefined`. `fail`: this job's run is stopped and fails, even if the promise is not awaited. Defaults to `reject`.
   */
  onFailure?: 'reject' | 'ignore' | 'fail';
}

/** Access to the files that a job reads and creates. */
export interface JobFiles {
  /**
   * Opens a file on this machine: `path` can be given to any library, and stays valid until the attempt ends. If files are in a
   * bucket (`FILES_URL`), the whole file is copied to the disk first.
   * @throws HeadwayError `unknown-file`, `file-damaged`, `disk-full`, `unavailable`
   */
  open(id: string): Promise<StoredFile & { path: string; stream(): Readable }>;
  /**
   * Opens a file for reading from its beginning to its end, without a copy on the disk. The stream emits an error instead of the
   * last bytes if the content does not match the size and SHA-256 of the file.
   * @throws HeadwayError `unknown-file`, `unavailable`
   */
  read(id: string): Promise<StoredFile & { stream(): Readable }>;
  /**
   * Creates a result file. `write` is called with a path that does not exist yet, and creates the file there. No other
   * process sees the file before that is done. Put the returned reference into the job's result: then viewers of the job can
   * download the file.
   */
  create(name: string, write: (path: string) => Promise<void>): Promise<ResultFile>;
  /** Removes an intermediate file. Does nothing if there is no such file. */
  remove(id: string): Promise<void>;
}

/**
 * The wait before the next attempt: always `delayMs`, or twice as long each time. `jitter` (0 to 1) is the random share of the
 * wait, which keeps jobs that failed together from being retried together. Defaults to 0.5 for `exponential` and 0 for
 * `fixed`.
 */
export interface Backoff {
  type: 'fixed' | 'exponential';
  delayMs: number;
  jitter?: number | undefined;
}

/** Default options of a kind of job. A request can override them. */
export interface JobDefaults {
  /** The maximum number of runs, including the first. Defaults to 1. */
  attempts?: number;
  /** The wait before the next attempt. Defaults to none. */
  backoff?: Backoff;
  /** The maximum time of a run, in ms. A run that takes longer fails with the code `timeout`. Defaults to `JOB_TIMEOUT_MS`. */
  timeoutMs?: number;
  /** How long a run may take to clean up after it was asked to stop, in ms. Then it is abandoned. Defaults to 5000. */
  cancelGraceMs?: number;
  /** The job fails with the code `expired` if it has not started this long after it was queued or due, in ms. */
  ttlMs?: number;
  /** How long the job, its log, files and channel are kept after its end, in ms. Defaults to `KEEP_JOBS_MS`. */
  keepMs?: number;
}

/** Schemas of the data of a kind of job that are stricter than its `input`. */
export interface JobLimits {
  /** For callers who are not signed in. Defaults to `signedIn`. */
  anonymous?: StandardSchemaV1;
  /** For signed-in callers who are not admins. Defaults to no limit. */
  signedIn?: StandardSchemaV1;
}

/** What the API and clients need to know of a kind of job. */
export interface JobContract<
  I extends StandardSchemaV1 = StandardSchemaV1,
  O extends StandardSchemaV1 = StandardSchemaV1,
  E extends EventSchemas = EventSchemas,
  N extends string = string,
> {
  /** Lower-case letters, digits and dashes; unique. */
  name: N;
  /** One line about the job, shown on the page. */
  description?: string;
  /** The schema of the data, from any Standard Schema library. The API validates the data before it queues a job. */
  input: I;
  /**
   * Stricter schemas of the data, for callers who are not admins. The data must match `input` too, and `run` gets what
   * `input` makes of it. They apply to every way of starting a job, except `ctx.child`: the parent decides what its children
   * get.
   */
  limits?: JobLimits;
  /** The schema of the result. An invalid result fails the attempt. */
  result: O;
  /**
   * The schemas of the custom events that the job sends with `ctx.emit`, by event name. Clients are typed from them. Without
   * `events`, a job can send any event. A schema must not be asynchronous.
   */
  events?: E;
  defaults?: JobDefaults;
  /** The BullMQ queue. Defaults to `QUEUE_NAME`; if that is empty, to a queue with the name of the kind. */
  queue?: string;
}

/** The definition of a kind of job: the default export of a file in `src/worker/jobs` or in `JOBS_DIR`. */
export interface JobDefinition<
  I extends StandardSchemaV1 = StandardSchemaV1,
  O extends StandardSchemaV1 = StandardSchemaV1,
  E extends EventSchemas = EventSchemas,
  N extends string = string,
> extends JobContract<I, O, E, N> {
  /** The stages in order, each with its weight, a positive number. */
  stages?: Record<string, number>;
  /** Only Headway starts such jobs: the kind is not listed and cannot be started over HTTP. */
  internal?: boolean;
  /** A worker of another program runs these jobs; Headway's workers do not take them. See {@link defineExternalJob}. */
  external?: boolean;
  /** How many of these jobs a worker process runs at the same time. Defaults to `WORKER_CONCURRENCY`. */
  concurrency?: number;
  /** At most `max` jobs start within `perMs` ms, over all workers. */
  rateLimit?: { max: number; perMs: number };
  /**
   * Whether each job runs in a separate thread, so that long computations block nothing else. The result must support
   * structured clone. Code that never yields sees its signal aborted only after a call to `ctx`. After the grace time, the
   * thread is terminated.
   */
  thread?: boolean;
  /**
   * The maximum memory of a run with `thread`, in MiB: JavaScript objects and buffers together. A run that exceeds it fails
   * with the code `memory`. Defaults to `THREAD_MEMORY_MB`.
   */
  memoryMb?: number;
  run(
    data: StandardSchemaV1.InferOutput<I>,
    ctx: JobContext<E>,
  ): Promise<StandardSchemaV1.InferInput<O>> | StandardSchemaV1.InferInput<O>;
}

/**
 * Adds types to a job definition and returns it unchanged. The registry validates it at start. `createClient<typeof jobs>()`
 * types a client from definitions.
 */
export function defineJob<
  I extends StandardSchemaV1,
  O extends StandardSchemaV1,
  E extends EventSchemas = NoEvents,
  N extends string = string,
>(definition: JobDefinition<I, O, E, N>): JobDefinition<I, O, E, N> {
  return definition;
}

/**
 * Defines a kind of job that a worker of another program runs, such as one in Python or Go. The API validates the data, and the
 * client is typed, as for any other kind.
 */
export function defineExternalJob<
  I extends StandardSchemaV1,
  O extends StandardSchemaV1,
  E extends EventSchemas = NoEvents,
  N extends string = string,
>(contract: JobContract<I, O, E, N>): JobDefinition<I, O, E, N> {
  return {
    ...contract,
    external: true,
    run() {
      throw new PermanentError(`"${contract.name}" is run by a worker of another program`);
    },
  };
}

export { fileId, resultFile } from '../files/reference.js';
export { ChildFailedError, PermanentError };
