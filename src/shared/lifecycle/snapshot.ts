import type { EndHint } from '../bullmq/bull-events.js';
import type { WorkerCensus } from '../bullmq/worker-census.js';
import { parseForeign } from '../jobs/foreign-json.js';
import { addressOf, requireAddress } from '../jobs/queues.js';
import { type JobSettings, jobSettings } from '../jobs/settings.js';
import { isTerminal, type JobState } from '../jobs/states.js';
import { boundMessage } from '../jobs/thrown.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { traceOf } from '../tracing/tracing.js';
import { type JobReply, lifecycleScripts, parseReply } from './scripts.js';

/** Why Headway failed a job, when the job did not throw an ordinary error. The codes are stable. */
export type JobErrorCode = 'timeout' | 'expired' | 'permanent' | 'stalled' | 'memory';

/** BullMQ's `failedReason` of a job that was cancelled. */
export const CANCELLED_REASON = 'cancelled';
/** BullMQ's `failedReason` of a job whose workers died too often. */
export const STALLED_REASON = 'job stalled more than allowable limit';

/** The numbers of a parent's children. `failed` includes those that were cancelled. */
export interface ChildCounts {
  total: number;
  pending: number;
  completed: number;
  failed: number;
}

/** A job as BullMQ stores it, without its data. Times are in ms since 1970. */
export interface JobSnapshot {
  id: string;
  name: string;
  state: JobState;
  /** The number of runs that have started. */
  attempt: number;
  /** The maximum number of runs. */
  attempts: number;
  /** The number of runs that failed. For a job that has ended, this includes its last run. */
  failures: number;
  /** The number of runs that were lost with their worker. */
  stalls: number;
  /** When a delayed job is due. */
  dueAt?: number;
  /** The initial delay, from `createdAt`, in ms. */
  delayMs?: number;
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  failedReason?: string;
  /** A stable code for the failure. */
  errorCode?: JobErrorCode;
  /** Whether the job was asked to stop; set until its end was published, whatever that end is. */
  cancelAsked?: boolean;
  /** The job waits for a run and its queue is paused. */
  paused?: boolean;
  /** For a job that waits for a run: whether no worker serves its queue. Absent when that is unknown. */
  noWorker?: boolean;
  result?: unknown;
  /** The numbers of its children, if it has any. */
  children?: ChildCounts;
  settings: JobSettings;
  /** The trace of the job, as `bullmq-otel` stores it. */
  trace?: string;
  /** The value of the newest call of BullMQ's `updateProgress`. */
  progress?: unknown;
  /** The length of BullMQ's log of the job, if a worker that knows only BullMQ has written to it. */
  foreignLines?: number;
}

/**
 * Reads a job; `undefined` when BullMQ has no such job.
 * @param hint how the job ended, from BullMQ's event, for a job that may be removed
 */
export type SnapshotReader = (jobId: string, hint?: EndHint) => Promise<JobSnapshot | undefined>;

/** Creates a reader that takes the state of a job from BullMQ's keys. */
export function createSnapshotReader(redis: RedisClient, keyspace: Keyspace): SnapshotReader {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (jobId) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const reply = await scripts.readJob(keyspace.queueKey(address.queue, address.id), address.id);
    return reply ? parseSnapshot(jobId, reply) : undefined;
  };
}

/** Returns a reader that also sets `noWorker`, for jobs that wait for a run. */
export const withCensus =
  (read: SnapshotReader, census: WorkerCensus): SnapshotReader =>
  async (jobId, hint) => {
    const job = await read(jobId, hint);
    if (!job || job.state === 'active' || job.state === 'waiting-children' || isFinished(job)) return job;
    return { ...job, noWorker: !(await census.serves(requireAddress(jobId).queue)) };
  };

/**
 * Parses the reply of `job.lua`. Another tool may have written any of it: a field that is not what BullMQ writes there
 * counts as empty.
 */
export function parseSnapshot(id: string, reply: JobReply): JobSnapshot {
  const fields = parseReply(reply);
  const { state, due, name, failedReason, opts, progress, 'hw:cancel': cancel } = fields;
  const pending = Number(fields.pendingChildren);
  const completed = Number(fields.completedChildren);
  const failed = Number(fields.failedChildren);
  const total = pending + completed + failed;
  const foreignLines = Number(fields.foreignLines);
  const options = (parseForeign(opts) ?? {}) as { attempts?: unknown; delay?: unknown };
  const trace = traceOf(options);
  const finished = state === 'completed' || state === 'failed';
  const cancelled = state === 'failed' && cancel !== '' && failedReason === CANCELLED_REASON;
  const errorCode =
    state === 'failed' && !cancelled ? errorCodeOf(fields['hw:code'], fields.ats, failedReason) : undefined;
  const { expiresAt, ...settings } = jobSettings(options);
  // A job that was retried after its end no longer expires.
  const putBack = !finished && (cancel === 'told' || fields['hw:code'] !== '');
  return {
    id,
    name,
    state: cancelled ? 'cancelled' : (state as JobState),
    attempt: countIn(fields.ats),
    attempts: Math.max(1, countIn(options.attempts)),
    failures: countIn(fields.atm),
    stalls: countIn(fields.stc),
    ...(due ? { dueAt: countIn(due) } : {}),
    createdAt: countIn(fields.timestamp),
    ...(countIn(options.delay) ? { delayMs: countIn(options.delay) } : {}),
    ...(countIn(fields.processedOn) ? { startedAt: countIn(fields.processedOn) } : {}),
    ...(finished ? { finishedAt: countIn(fields.finishedOn) } : {}),
    ...(failedReason ? { failedReason: boundMessage(failedReason) } : {}),
    ...(errorCode ? { errorCode } : {}),
    ...(cancel === 'asked' ? { cancelAsked: true } : {}),
    ...(fields.paused && !finished && state !== 'active' ? { paused: true } : {}),
    ...(state === 'completed' ? { result: parseForeign(fields.returnvalue) ?? null } : {}),
    ...(total > 0 ? { children: { total, pending, completed, failed } } : {}),
    settings: { ...settings, ...(expiresAt === undefined || putBack ? {} : { expiresAt }) },
    ...(trace === undefined ? {} : { trace }),
    ...(progress ? { progress: parseForeign(progress) } : {}),
    ...(foreignLines ? { foreignLines } : {}),
  };
}

/** The stored code names its attempt, because a later attempt may have failed for another reason. */
function errorCodeOf(code: string, attempt: string, reason: string): JobErrorCode | undefined {
  const [of, name] = code.split(' ');
  if (name && Number(of) === Number(attempt)) return name as JobErrorCode;
  return reason === STALLED_REASON ? 'stalled' : undefined;
}

/** Returns whether a job has ended. */
export const isFinished = ({ state }: Pick<JobSnapshot, 'state'>): boolean => isTerminal(state);

/** The latest time that a `Date` can represent, ms since 1970. No count is larger. */
const MAX_COUNT = 8.64e15;

/** Parses a count or a time; returns 0 for anything else. */
function countIn(value: unknown): number {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && number > 0 && number <= MAX_COUNT ? Math.floor(number) : 0;
}
