import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

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
  result?: unknown;
  /** What the job last gave to BullMQ's own `updateProgress`. */
  progress?: unknown;
}

/** Where a BullMQ queue's keys are. */
export interface QueueKeys {
  prefix: string;
  queue: string;
}

export type SnapshotReader = (jobId: string) => Promise<JobSnapshot | undefined>;

const lua = readFileSync(new URL('./scripts/job.lua', import.meta.url), 'utf8');

/** Reads a job's real state from BullMQ's keys; `undefined` when BullMQ has no such job. */
export function createSnapshotReader(redis: Redis | Cluster, { prefix, queue }: QueueKeys): SnapshotReader {
  if (!('readJob' in redis)) redis.defineCommand('readJob', { numberOfKeys: 7, lua });
  const scripts = redis as unknown as { readJob(...args: string[]): Promise<string[] | null> };
  const key = (suffix: string): string => `${prefix}:${queue}:${suffix}`;
  return async (id) => {
    // Other names than ids share the place behind the queue's name.
    if (!/^[A-Za-z0-9_-]{1,100}$/.test(id)) return undefined;
    const reply = await scripts.readJob(
      key(id),
      key('active'),
      key('completed'),
      key('failed'),
      key('delayed'),
      key('prioritized'),
      key('waiting-children'),
      id,
    );
    return reply ? parseReply(id, reply) : undefined;
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
  ] = reply as [string, ...string[]] & { length: 13 };
  const finished = state === 'completed' || state === 'failed';
  return {
    id,
    name: name!,
    state: state as JobState,
    attempt: Number(ats),
    attempts: Math.max(1, (parseJson(opts) as { attempts?: number } | undefined)?.attempts ?? 1),
    failures: Number(atm),
    stalls: Number(stc),
    ...(due ? { dueAt: Number(due) } : {}),
    createdAt: Number(timestamp),
    ...(processedOn ? { startedAt: Number(processedOn) } : {}),
    ...(finished ? { finishedAt: Number(finishedOn) } : {}),
    ...(failedReason ? { failedReason } : {}),
    ...(state === 'completed' ? { result: parseJson(result) ?? null } : {}),
    ...(progress ? { progress: parseJson(progress) } : {}),
  };
}

function parseJson(text: string | undefined): unknown {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
