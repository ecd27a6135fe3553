import type { Cluster, Redis } from 'ioredis';
import { parseForeign } from '../jobs/foreign-json.js';
import { addressOf, jobIdOf, queueKey } from '../jobs/queues.js';
import { boundMessage } from '../jobs/thrown.js';
import { isHeadwayProgress } from './foreign-progress.js';

/** An entry of BullMQ's event stream. */
export type BullEntry = [id: string, fields: string[]];

const LAST = 1000;

/** A message of BullMQ's that says how a job ended, for jobs that are removed at their end. */
export type EndHint =
  | { event: 'completed'; result: unknown }
  | { event: 'failed'; reason: string }
  | { event: 'removed' };

/** What a batch of events says of one job. */
export interface LatestJobEvent {
  /** The job's id in BullMQ. */
  id: string;
  /** Its state has changed. */
  changed: boolean;
  /** The newest event is not of a run under way: what was reported has to be told now. */
  over: boolean;
  /** How it ended. */
  hint?: EndHint;
  /** The newest progress that a worker which knows nothing of us reported since the job last became active. */
  progress?: { value: unknown; at: number };
}

/**
 * Reads a batch of a queue's events: of each job only what still matters at the end of the batch.
 * @returns by our ids of the jobs
 */
export function readBullEvents(queue: string, entries: BullEntry[]): Map<string, LatestJobEvent> {
  const news = new Map<string, LatestJobEvent>();
  for (const [entryId, fields] of entries) {
    const event = fieldsOf(fields);
    if (!event.jobId) continue;
    const jobId = jobIdOf({ queue, id: event.jobId });
    // One that is too long for a request cannot be followed by anybody.
    if (!addressOf(jobId)) continue;
    if (event.event === 'progress') {
      const value = foreignProgress(event.data, jobId);
      if (value === undefined) continue;
      const job = newsOf(jobId, event.jobId);
      job.progress = { value, at: Number(entryId.split('-')[0]) };
      job.over = false;
      continue;
    }
    const job = newsOf(jobId, event.jobId);
    job.changed = true;
    job.over = event.event !== 'active';
    // What was reported before was of another attempt.
    if (event.event === 'active') delete job.progress;
    const hint = endHint(event);
    if (hint) job.hint = hint;
  }
  return news;

  function newsOf(jobId: string, id: string): LatestJobEvent {
    let job = news.get(jobId);
    if (!job) {
      job = { id, changed: false, over: false };
      news.set(jobId, job);
    }
    return job;
  }
}

/** What the last thousand events of a queue say, whether they were seen to or not. */
export async function latestEvents(
  redis: Redis | Cluster,
  queuePrefix: string,
  queue: string,
): Promise<Map<string, LatestJobEvent>> {
  const entries = await redis.xrevrange(queueKey(queuePrefix, queue, 'events'), '+', '-', 'COUNT', LAST);
  return readBullEvents(queue, entries.reverse());
}

/** Whether an entry says that the queue was paused, or goes on. */
export function saysOfQueue(fields: string[]): boolean {
  const { event } = fieldsOf(fields);
  return event === 'paused' || event === 'resumed';
}

/** Progress, unless it is of our own workers, which publish it themselves: those are many, and are told by their first bytes. */
function foreignProgress(text: string | undefined, jobId: string): unknown {
  if (!text || text.startsWith(`{"jobId":"${jobId}","attempt":`)) return undefined;
  const value = parseForeign(text);
  return isHeadwayProgress(value, jobId) ? undefined : value;
}

function fieldsOf(fields: string[]): Record<string, string> {
  const out: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) out[fields[i]!] = fields[i + 1]!;
  return out;
}

function endHint(event: Record<string, string>): EndHint | undefined {
  if (event.event === 'completed')
    return { event: 'completed', result: parseForeign(event.returnvalue) ?? null };
  if (event.event === 'failed')
    return { event: 'failed', reason: boundMessage(event.failedReason ?? 'unknown error') };
  if (event.event === 'removed') return { event: 'removed' };
  return undefined;
}
