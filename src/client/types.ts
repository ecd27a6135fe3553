/**
 * Options of a start (`options` of `POST /v1/jobs`). Each takes precedence over the default of the job's definition.
 */
export interface JobOptions {
  /** Maximum number of attempts, 1 to 100. */
  attempts?: number;
  backoff?: { type: 'fixed' | 'exponential'; delayMs: number; jitter?: number };
  /** Starts the job after this delay, in ms. */
  delayMs?: number;
  /** Starts the job at this time: RFC 3339, with a time zone. */
  runAt?: string;
  /** 1 is the highest priority. */
  priority?: number;
  /** Fails the job with the code `expired` if it has not started within this time, in ms. */
  ttlMs?: number;
  /** The maximum time of an attempt, in ms. An attempt that takes longer fails with the code `timeout`. */
  timeoutMs?: number;
  /** While a job of the same kind and key is unfinished, a start returns that job. */
  deduplicationKey?: string;
  /** How long the job is kept after its end, in ms. */
  keepMs?: number;
  /** Shown with the job, to tell jobs of a kind apart: one line of at most 200 characters. */
  title?: string;
  metadata?: Record<string, unknown>;
  tags?: string[];
  webhook?: { url: string; secret?: string; events?: Array<'completed' | 'failed' | 'cancelled'> };
}

/** Data of a `progress` event. */
export interface Progress {
  jobId: string;
  attempt: number;
  /** 0 to 100; `null` while unknown. */
  percent: number | null;
  current?: number;
  total?: number;
  unit?: string;
  stage?: string;
  /** Starts at 1. */
  stageIndex?: number;
  stageCount?: number;
  message?: string;
  /** In `unit` per second. */
  ratePerSecond?: number;
  etaMs?: number;
  /** ms since 1970. */
  at: number;
}

/** Why a job failed: a message, and a code for programs if there is one. */
export interface JobError {
  message: string;
  code?: string;
}

interface About {
  jobId: string;
  attempt: number;
  at: number;
}

/** The data of each event of a job, by event name. */
export interface JobEventData<R = unknown> {
  waiting: About & { name: string };
  delayed: About & { name: string; until: number };
  active: About & { name: string; attempts: number };
  progress: Progress;
  queue: About & { paused: boolean; noWorker?: boolean; cancelling?: true };
  log: About & {
    level: 'debug' | 'info' | 'warn' | 'error';
    message: string;
    fields?: Record<string, unknown>;
  };
  partial: About & { index: number; text?: string; chunks?: unknown[] };
  child: About & {
    childId: string;
    childName: string;
    state: 'failed' | 'cancelled';
    error: JobError;
    last?: true;
  };
  retrying: About & { name: string; attempts: number; error: JobError; nextAttemptAt?: number };
  stalled: About & { name: string };
  completed: About & { name: string; result: R };
  failed: About & { name: string; error: JobError };
  cancelled: About & { name: string; reason: string };
  /** Earlier events are outdated. The current state follows. */
  reset: { reason: string; at?: number };
}

/**
 * An event of a job, discriminated by `event`. Custom events (`ctx.emit`) are included under their own names, which this
 * type does not list. The job's value is in `data.data`.
 */
export type JobEvent<R = unknown> = {
  [Name in keyof JobEventData<R>]: { event: Name; id: string | undefined; data: JobEventData<R>[Name] };
}[keyof JobEventData<R>];

/** The state of a job. `stalled`: the worker was lost, and another one will take the job. */
export type JobState =
  | 'waiting'
  | 'delayed'
  | 'active'
  | 'retrying'
  | 'stalled'
  | 'completed'
  | 'failed'
  | 'cancelled';

/** An event of a channel. */
export interface ChannelEvent<T = unknown> {
  channel: string;
  /** `message` if the publisher set no name. */
  event: string;
  id: string | undefined;
  /** What was published: text as a string, anything else as parsed JSON. */
  data: T;
}

/** A job as `GET /v1/jobs/:id` returns it. Times are ms since 1970. */
export interface JobView<R = unknown> {
  id: string;
  name: string;
  state:
    | 'waiting'
    | 'prioritized'
    | 'waiting-children'
    | 'delayed'
    | 'active'
    | 'completed'
    | 'failed'
    | 'cancelled';
  progress: Progress | null;
  attempt: number;
  attempts: number;
  createdAt: number;
  dueAt?: number;
  startedAt?: number;
  finishedAt?: number;
  result?: R;
  error?: JobError;
  cancelling?: boolean;
  paused?: boolean;
  noWorker?: boolean;
  title?: string;
  tags?: string[];
  metadata?: Record<string, unknown>;
  /** With `?include=data`, for admins only. */
  data?: unknown;
  parent?: string;
  children?: { total: number; pending: number; completed: number; failed: number };
  links: JobLinks;
}

/** The current state of one of many jobs, with the part of its progress that an overview needs. */
export interface JobNow extends Partial<Omit<Progress, 'jobId' | 'at' | 'stageIndex' | 'stageCount'>> {
  jobId: string;
  name?: string;
  /** `gone`: the job no longer exists. */
  state: JobView['state'] | 'gone';
  startedAt?: number;
  paused?: true;
  noWorker?: true;
  error?: JobError;
}

/** An event about all jobs of a caller. */
export type OwnJobEvent =
  | { event: 'job'; data: JobNow }
  | { event: 'jobs'; data: { unfinished: number; at: number } }
  /** Earlier events are outdated. The current state follows. */
  | { event: 'reset'; data: { reason: string; at?: number } };

/** The paths of a job's resources, relative to the service. */
export interface JobLinks {
  self: string;
  events: string;
  cancel: string;
  result: string;
}

/** An uploaded file. */
export interface UploadedFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** A file of a result. It is downloaded from `href`. */
export interface ResultFile extends UploadedFile {
  href: string;
}
