/**
 * Options of a start (`options` of `POST /v1/jobs`). Each takes precedence over the default of the job's definition.
 */
export interface JobOptions {
  /** Maximum number of attempts, 1 to 100. */
  attempts?: number;
  /** The wait before the next attempt: always `delayMs`, or twice as long each time. `jitter` (0 to 1) is its random share. */
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
  /** Shown with the job. Any JSON. */
  metadata?: Record<string, unknown>;
  /** Labels by which jobs are listed. */
  tags?: string[];
  /** Called when the job has ended. */
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

/** The position of a waiting job in its queue, as far as it is known. */
export interface QueuePosition {
  /** How many jobs are taken before it; 0 if it is the next. */
  position?: number;
  /** There are at least `position` jobs before it. */
  orMore?: true;
  /** The estimated time until it begins, in ms. */
  beginsInMs?: number;
}

/** The data of each event of a job, by event name. */
export interface JobEventData<R = unknown> {
  waiting: About & { name: string };
  delayed: About & { name: string; until: number };
  active: About & { name: string; attempts: number };
  progress: Progress;
  queue: About & { paused: boolean; noWorker?: boolean; cancelling?: true } & QueuePosition;
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

/** No known custom events. */
export type NoEvents = Record<never, never>;

/**
 * Carries the types of a job's result and custom events, from which functions that take the job infer them. No value has it.
 * The parameter of a method is compared in both directions, so a job of unknown types can be used as one of any.
 */
export type CarriedTypes<R, E> = { of(types: { result: R; events: E }): void }['of'];

/** The data of a custom event (`ctx.emit`). The job's value is in `data`. */
export interface CustomEventData<T = unknown> extends About {
  data: T;
}

/**
 * An event of a job, discriminated by `event`. Custom events are those of `E`, the values by event name; others arrive
 * under their own names too, which this type does not list.
 */
export type JobEvent<R = unknown, E = NoEvents> =
  | {
      [Name in keyof JobEventData<R>]: { event: Name; id: string | undefined; data: JobEventData<R>[Name] };
    }[keyof JobEventData<R>]
  | {
      [Name in keyof E & string]: { event: Name; id: string | undefined; data: CustomEventData<E[Name]> };
    }[keyof E & string];

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
  position?: number;
  orMore?: true;
  beginsInMs?: number;
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
