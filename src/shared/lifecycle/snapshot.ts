import type { Cluster, Redis } from 'ioredis';
import type { EndHint } from '../bullmq/bull-events.js';
import type { WorkerCensus } from '../bullmq/worker-census.js';
import { parseForeign } from '../jobs/foreign-json.js';
import { addressOf, type JobAddress, queueKey } from '../jobs/queues.js';
import { type JobSettings, jobSettings } from '../jobs/settings.js';
import { isTerminal, type JobState } from '../jobs/states.js';
import { boundMessage } from '../jobs/thrown.js';
import { scriptsOf } from '../redis/scripts.js';
import { lifecycleScripts, REPLY_FIELDS, type ReplyField } from './scripts.js';

/** Why a job failed, where it is not simply an error of its own. Codes are stable. */
export type JobErrorCode = 'timeout' | 'expired' | 'permanent' | 'stalled';

/** BullMQ's `failedReason` of a job that was cancelled. */
export const CANCELLED_REASON = 'cancelled';
/** BullMQ's `failedReason` of a job whose workers died too often. */
export const STALLED_REASON = 'job stalled more than allowable limit';

/** A parent's children: those that have not ended, that completed, that failed or were cancelled, and all. */
export interface ChildCounts {
  total: number;
  pending: number;
  completed: number;
  failed: number;
}

/** What BullMQ knows of a job, without its data. Times are ms since the epoch. */
export interface JobSnapshot {
  id: string;
  name: string;
  state: JobState;
  /** Runs begun. */
  attempt: number;
  /** Runs at most. */
  attempts: number;
  /** Runs that ended with an error (or, for a finished job, ended). */
  failures: number;
  /** Runs that were lost with their worker. */
  stalls: number;
  /** When a delayed job is due. */
  dueAt?: number;
  /** How long after its making it was due at first, in ms. */
  delayMs?: number;
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  failedReason?: string;
  /** Why it failed, for programs. */
  errorCode?: JobErrorCode;
  /** Somebody has asked for its end; until its end has been told, whichever that was. */
  cancelAsked?: boolean;
  /** It has yet to begin (again), and its queue is paused: nothing begins there. */
  paused?: boolean;
  /** It has yet to begin (again), and whether no worker serves its queue; absent where that is not known. */
  noWorker?: boolean;
  result?: unknown;
  /** How its children are, if it has any. */
  children?: ChildCounts;
  settings: JobSettings;
  /** What the job last gave to BullMQ's own `updateProgress`. */
  progress?: unknown;
}

/** @param hint how a job ended that may be missing by now */
export type SnapshotReader = (jobId: string, hint?: EndHint) => Promise<JobSnapshot | undefined>;

/** Reads a job's real state from BullMQ's keys; `undefined` when BullMQ has no such job. */
export function createSnapshotReader(redis: Redis | Cluster, prefix: string): SnapshotReader {
  const scripts = scriptsOf(redis, lifecycleScripts);
  return async (jobId) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const reply = await scripts.readJob(...snapshotKeys(prefix, address), address.id);
    return reply ? parseSnapshot(jobId, reply) : undefined;
  };
}

/** A reader that also says of a job that has yet to begin whether no worker serves its queue. */
export const withCensus =
  (read: SnapshotReader, census: WorkerCensus): SnapshotReader =>
  async (jobId, hint) => {
    const job = await read(jobId, hint);
    if (!job || job.state === 'active' || job.state === 'waiting-children' || isFinished(job)) return job;
    return { ...job, noWorker: !(await census.serves(addressOf(jobId)!.queue)) };
  };

/** The keys of `job.lua`, `JOB_KEYS` of them. */
export function snapshotKeys(prefix: string, { queue, id }: JobAddress): string[] {
  return [id, 'active', 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children', 'meta'].map(
    (suffix) => queueKey(prefix, queue, suffix),
  );
}

/**
 * What the reply of `job.lua` says. Another tool may have written any of it: a field that is not what BullMQ
 * writes there counts as empty.
 */
export function parseSnapshot(id: string, reply: string[]): JobSnapshot {
  const fields = Object.fromEntries(REPLY_FIELDS.map((name, i) => [name, reply[i] ?? ''])) as Record<
    ReplyField,
    string
  >;
  const { state, due, name, failedReason, opts, progress, 'hw:cancel': cancel } = fields;
  const pending = Number(fields.pendingChildren);
  const completed = Number(fields.completedChildren);
  const failed = Number(fields.failedChildren);
  const total = pending + completed + failed;
  const options = (parseForeign(opts) ?? {}) as { attempts?: unknown; delay?: unknown };
  const finished = state === 'completed' || state === 'failed';
  const cancelled = state === 'failed' && cancel !== '' && failedReason === CANCELLED_REASON;
  const errorCode =
    state === 'failed' && !cancelled ? errorCodeOf(fields['hw:code'], fields.ats, failedReason) : undefined;
  const { expiresAt, ...settings } = jobSettings(options);
  // Put back by somebody after it had come to an end: in time or not, it is to run.
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
    ...(progress ? { progress: parseForeign(progress) } : {}),
  };
}

/** The code is stored with the attempt that it is of: a later one may have failed for another reason. */
function errorCodeOf(code: string, attempt: string, reason: string): JobErrorCode | undefined {
  const [of, name] = code.split(' ');
  if (name && Number(of) === Number(attempt)) return name as JobErrorCode;
  return reason === STALLED_REASON ? 'stalled' : undefined;
}

/** Returns whether a job has ended. */
export const isFinished = ({ state }: Pick<JobSnapshot, 'state'>): boolean => isTerminal(state);

/** The last time that a `Date` knows, ms since 1970; no count is larger. */
const MAX_COUNT = 8.64e15;

/** A count or a time; 0 if it is not a number. */
function countIn(value: unknown): number {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && number > 0 && number <= MAX_COUNT ? Math.floor(number) : 0;
}
