import { parseForeign } from '../jobs/foreign-json.js';
import { addressOf, jobIdOf } from '../jobs/queues.js';
import { boundMessage } from '../jobs/thrown.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { pairsOf } from '../redis/pairs.js';
import { isHeadwayProgress } from './foreign-progress.js';

/** An entry of BullMQ's event stream. */
export type BullEntry = [id: string, fields: string[]];

const LATEST_COUNT = 1000;

/** How a job ended according to BullMQ's event, for jobs that are removed when they end. */
export type EndHint =
  | { event: 'completed'; result: unknown }
  | { event: 'failed'; reason: string }
  | { event: 'removed' };

/** The result of a batch of events for one job. */
export interface LatestJobEvent {
  /** The job's id in BullMQ. */
  id: string;
  /** Whether the job's state has changed. */
  changed: boolean;
  /** Whether the job has new lines in its log, from a worker in another language. */
  lines?: boolean;
  /** Whether the newest event ends a run: progress must be published now instead of being held back. */
  ended: boolean;
  /** How the job ended, if it did. */
  hint?: EndHint;
  /** The newest progress since the job became active, from a worker that knows only BullMQ. */
  progress?: { value: unknown; at: number };
}

/**
 * Reduces a batch of a queue's events to what still matters for each job at the end of the batch.
 * @returns the result for each job, by Headway's job id
 */
export function readBullEvents(queue: string, entries: BullEntry[]): Map<string, LatestJobEvent> {
  const latest = new Map<string, LatestJobEvent>();
  for (const [entryId, fields] of entries) {
    const event = fieldsOf(fields);
    if (!event.jobId) continue;
    const jobId = jobIdOf({ queue, id: event.jobId });
    // A job whose id is too long for a request cannot be watched.
    if (!addressOf(jobId)) continue;
    if (event.event === 'progress') {
      const value = foreignProgress(event.data, jobId);
      if (value === undefined) continue;
      const job = eventOf(jobId, event.jobId);
      job.progress = { value, at: Number(entryId.split('-')[0]) };
      job.ended = false;
      continue;
    }
    const job = eventOf(jobId, event.jobId);
    if (event.event === 'log') {
      job.lines = true;
      continue;
    }
    job.changed = true;
    job.ended = event.event !== 'active';
    // Earlier progress belongs to another attempt.
    if (event.event === 'active') delete job.progress;
    const hint = endHint(event);
    if (hint) job.hint = hint;
  }
  return latest;

  function eventOf(jobId: string, id: string): LatestJobEvent {
    let job = latest.get(jobId);
    if (!job) {
      job = { id, changed: false, ended: false };
      latest.set(jobId, job);
    }
    return job;
  }
}

/** Reads the newest 1,000 events of a queue, including those that were handled. */
export async function latestEvents(
  redis: RedisClient,
  keyspace: Keyspace,
  queue: string,
): Promise<Map<string, LatestJobEvent>> {
  const entries = await redis.xrevrange(keyspace.queueKey(queue, 'events'), '+', '-', 'COUNT', LATEST_COUNT);
  return readBullEvents(queue, entries.reverse());
}

/** Whether an entry says that the queue was paused or resumed. */
export function isQueueEvent(fields: string[]): boolean {
  const { event } = fieldsOf(fields);
  return event === 'paused' || event === 'resumed';
}

/**
 * Parses progress; `undefined` for progress of our own workers, which publish it themselves. Those events are frequent and
 * are recognized by their first bytes.
 */
function foreignProgress(text: string | undefined, jobId: string): unknown {
  if (!text || text.startsWith(`{"jobId":"${jobId}","attempt":`)) return undefined;
  const value = parseForeign(text);
  return isHeadwayProgress(value, jobId) ? undefined : value;
}

const fieldsOf = (fields: string[]): Record<string, string> => Object.fromEntries(pairsOf(fields));

function endHint(event: Record<string, string>): EndHint | undefined {
  if (event.event === 'completed')
    return { event: 'completed', result: parseForeign(event.returnvalue) ?? null };
  if (event.event === 'failed')
    return { event: 'failed', reason: boundMessage(event.failedReason ?? 'unknown error') };
  if (event.event === 'removed') return { event: 'removed' };
  return undefined;
}
