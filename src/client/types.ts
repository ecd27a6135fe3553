/** As `options` of `POST /v1/jobs`: what one start decides about its job. Each goes before the definition's default. */
export interface JobOptions {
  /** Runs at most, 1 to 100. */
  attempts?: number;
  backoff?: { type: 'fixed' | 'exponential'; delayMs: number; jitter?: number };
  /** Begins this much later, in ms. */
  delayMs?: number;
  /** Or at this time: RFC 3339, with a zone. */
  runAt?: string;
  /** 1 is first. */
  priority?: number;
  /** Not begun within this time, it fails with the code `expired`. */
  ttlMs?: number;
  /** A run that takes longer is stopped, and the job fails with the code `timeout`. */
  timeoutMs?: number;
  /** While a job of this name and key has not ended, the answer is that job. */
  deduplicationKey?: string;
  /** How long it is kept after its end, in ms. */
  keepMs?: number;
  metadata?: Record<string, unknown>;
  tags?: string[];
  webhook?: { url: string; secret?: string; events?: Array<'completed' | 'failed' | 'cancelled'> };
}

/** Data of a `progress` event. */
export interface Progress {
  jobId: string;
  attempt: number;
  /** 0 to 100; `null` while nobody can say. */
  percent: number | null;
  current?: number;
  total?: number;
  unit?: string;
  stage?: string;
  /** From 1. */
  stageIndex?: number;
  stageCount?: number;
  message?: string;
  /** Of `current`. */
  ratePerSecond?: number;
  etaMs?: number;
  /** ms since 1970. */
  at: number;
}

/** Why a job failed: in words, and for programs where there is a code. */
export interface JobError {
  message: string;
  code?: string;
}

interface About {
  jobId: string;
  attempt: number;
  at: number;
}

/** The data of each event of a job, by its name. */
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
  /** What was known no longer holds; the present state follows. */
  reset: { reason: string; at?: number };
}

/**
 * An event of a job; `event` tells which. Those that a job has named itself (`ctx.emit`) come too, under their own names,
 * which no type here knows, with what the job gave as `data.data`.
 */
export type JobEvent<R = unknown> = {
  [Name in keyof JobEventData<R>]: { event: Name; id: string | undefined; data: JobEventData<R>[Name] };
}[keyof JobEventData<R>];

/** Where a job is in its life. `stalled`: its worker was lost, another follows. */
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
  /** `message` where its publisher named none. */
  event: string;
  id: string | undefined;
  /** What was published: text as it was, anything else as JSON. */
  data: T;
}

/** A job as `GET /v1/jobs/:id` shows it. Times are ms since 1970. */
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
  tags?: string[];
  metadata?: Record<string, unknown>;
  parent?: string;
  children?: { total: number; pending: number; completed: number; failed: number };
  links: JobLinks;
}

/** Where one of many jobs stands; of its progress what an overview needs. */
export interface JobNow extends Partial<Omit<Progress, 'jobId' | 'at' | 'stageIndex' | 'stageCount'>> {
  jobId: string;
  name?: string;
  /** `gone`: nothing more is known of it. */
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
  /** What was known before no longer holds; the present state follows. */
  | { event: 'reset'; data: { reason: string; at?: number } };

/** Where a job's resources are, relative to the service. */
export interface JobLinks {
  self: string;
  events: string;
  cancel: string;
  result: string;
}

/** What an upload is known by. */
export interface UploadedFile {
  id: string;
  name: string;
  size: number;
  sha256: string;
}

/** A file of a result: downloaded from `href`. */
export interface ResultFile extends UploadedFile {
  href: string;
}
