import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import { type JobSettings, jobSettings } from '../job-settings.js';
import { addressOf, queueKey } from '../queues.js';

/** States of a job in BullMQ's words; `cancelled` is ours. */
export type JobState =
  | 'waiting'
  | 'delayed'
  | 'prioritized'
  | 'waiting-children'
  | 'active'
  | 'completed'
  | 'failed'
  | 'cancelled';

/** Why a job failed, where it is not simply an error of its own. Codes are stable. */
export type JobErrorCode = 'timeout' | 'expired' | 'permanent' | 'stalled';

/** BullMQ's `failedReason` of a job that was cancelled. */
export const CANCELLED_REASON = 'cancelled';
/** BullMQ's `failedReason` of a job whose workers died too often. */
const STALLED_REASON = 'job stalled more than allowable limit';

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
  createdAt: number;
  startedAt?: number;
  finishedAt?: number;
  failedReason?: string;
  /** Why it failed, for programs. */
  errorCode?: JobErrorCode;
  /** Somebody has asked for its end, and it has not come to it yet. */
  cancelling?: boolean;
  result?: unknown;
  /** How its children are, if it has any. */
  children?: ChildCounts;
  settings: JobSettings;
  /** What the job last gave to BullMQ's own `updateProgress`. */
  progress?: unknown;
}

export type SnapshotReader = (jobId: string) => Promise<JobSnapshot | undefined>;

const lua = readFileSync(new URL('./scripts/job.lua', import.meta.url), 'utf8');

/** Reads a job's real state from BullMQ's keys; `undefined` when BullMQ has no such job. */
export function createSnapshotReader(redis: Redis | Cluster, prefix: string): SnapshotReader {
  if (!('readJob' in redis)) redis.defineCommand('readJob', { numberOfKeys: 7, lua });
  const scripts = redis as unknown as { readJob(...args: string[]): Promise<string[] | null> };
  return async (jobId) => {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const key = (suffix: string): string => queueKey(prefix, address.queue, suffix);
    const reply = await scripts.readJob(
      key(address.id),
      key('active'),
      key('completed'),
      key('failed'),
      key('delayed'),
      key('prioritized'),
      key('waiting-children'),
      address.id,
    );
    return reply ? parseReply(jobId, reply) : undefined;
  };
}

function parseReply(id: string, reply: string[]): JobSnapshot {
  const [
    state,
    due,
    name,
    ats,
    atm,
    stc,
    timestamp,
    processedOn,
    finishedOn,
    failedReason,
    result,
    progress,
    opts,
    cancel,
    code,
    ...counts
  ] = reply as [string, ...string[]] & { length: 18 };
  const [pending = 0, completed = 0, failed = 0] = counts.map(Number);
  const total = pending + completed + failed;
  const options = parseJson(opts) as { attempts?: number } | undefined;
  const finished = state === 'completed' || state === 'failed';
  const cancelled = state === 'failed' && cancel !== '' && failedReason === CANCELLED_REASON;
  const errorCode = state === 'failed' && !cancelled ? errorCodeOf(code!, ats!, failedReason!) : undefined;
  return {
    id,
    name: name!,
    state: cancelled ? 'cancelled' : (state as JobState),
    attempt: Number(ats),
    attempts: Math.max(1, options?.attempts ?? 1),
    failures: Number(atm),
    stalls: Number(stc),
    ...(due ? { dueAt: Number(due) } : {}),
    createdAt: Number(timestamp),
    ...(processedOn ? { startedAt: Number(processedOn) } : {}),
    ...(finished ? { finishedAt: Number(finishedOn) } : {}),
    ...(failedReason ? { failedReason } : {}),
    ...(errorCode ? { errorCode } : {}),
    ...(cancel === 'asked' && !finished ? { cancelling: true } : {}),
    ...(state === 'completed' ? { result: parseJson(result) ?? null } : {}),
    ...(total > 0 ? { children: { total, pending, completed, failed } } : {}),
    settings: jobSettings(options),
    ...(progress ? { progress: parseJson(progress) } : {}),
  };
}

/** The code is stored with the attempt that it is of: a later one may have failed for another reason. */
function errorCodeOf(code: string, attempt: string, reason: string): JobErrorCode | undefined {
  const [of, name] = code.split(' ');
  if (name && Number(of) === Number(attempt)) return name as JobErrorCode;
  return reason === STALLED_REASON ? 'stalled' : undefined;
}

/** Whether a job has come to its end. */
export const isFinished = ({ state }: Pick<JobSnapshot, 'state'>): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled';

function parseJson(text: string | undefined): unknown {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
