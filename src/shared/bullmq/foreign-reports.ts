import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { requireAddress } from '../jobs/queues.js';
import type { Keyspace } from '../keyspace.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import { foreignProgress } from './foreign-progress.js';

/** The argument of BullMQ's `updateProgress`, from a worker that knows only BullMQ. */
export interface ForeignProgress {
  value: unknown;
  attempt: number;
  /** ms since 1970 */
  at: number;
}

export interface ForeignReportsOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  publisher: Publisher;
}

/** Publishes what a job reported through BullMQ alone. Any number of processes may do so concurrently. */
export interface ForeignReports {
  /** Publishes the new lines of the job's log (`job.log`), then its progress, unless that belongs to another attempt. */
  publish(jobId: string, attempt: number, progress?: ForeignProgress): Promise<void>;
}

/**
 * A field of the job's hash, written by our workers. It counts the lines in BullMQ's log of the job that were published
 * by the worker.
 */
export const LOGGED = 'hw:logged';

const LINES_AT_ONCE = 500;
const MAX_LINE = 10_000;

export function createForeignReports({ redis, keyspace, publisher }: ForeignReportsOptions): ForeignReports {
  async function publishLines(jobId: string, attempt: number): Promise<void> {
    const channel = jobChannel(jobId);
    const { queue, id } = requireAddress(jobId);
    const job = keyspace.queueKey(queue, id);
    const [lines, logged, published] = await Promise.all([
      redis.llen(`${job}:logs`),
      redis.hget(job, LOGGED),
      redis.hget(channelKeys(keyspace, channel)[0], 'lines'),
    ]);
    let from: number | string = published ?? '';
    for (let next = Math.max(Number(from), Number(logged ?? 0)); next < lines; ) {
      const page = await redis.lrange(`${job}:logs`, next, next + LINES_AT_ONCE - 1);
      if (page.length === 0) return;
      // Redis executes the calls of one connection in order.
      const published = page.map((line) => {
        const message = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}… (cut)` : line;
        const data = { jobId, attempt, level: 'info', message, at: serverNow() };
        const guard = { field: 'lines' as const, from, to: ++next };
        from = next;
        return publisher.publish(channel, { event: 'log', data }, { attempt, guard });
      });
      // Another process publishes the lines, or the attempt is over.
      if ((await Promise.all(published)).includes(undefined)) return;
    }
  }

  async function publishProgress(jobId: string, { value, attempt, at }: ForeignProgress): Promise<void> {
    const channel = jobChannel(jobId);
    const [key, , slots] = channelKeys(keyspace, channel);
    const [[publishedAttempt, published], newest] = await Promise.all([
      redis.hmget(key, 'attempt', 'percent'),
      redis.hget(slots, 'progress'),
    ]);
    const begun = Number(publishedAttempt) === attempt;
    // The run publishes its progress itself. Ignore what another tool reports about it.
    if (begun && newest && published == null) return;
    const before = begun && published ? parsePercent(published) : null;
    const data = foreignProgress(value, { jobId, attempt, at }, before);
    // Another process has just published the same progress.
    if (begun && newest && isSame(newest, data)) return;
    const guard = { field: 'percent' as const, from: published ?? '', to: String(data.percent) };
    await publisher.publish(channel, { event: 'progress', kind: 'state', data }, { attempt, guard });
  }

  return {
    async publish(jobId, attempt, progress) {
      await publishLines(jobId, attempt);
      if (progress?.attempt === attempt) await publishProgress(jobId, progress);
    },
  };
}

const parsePercent = (published: string): number | null => (published === 'null' ? null : Number(published));

/** Whether a frame has the same data, except for the time. */
function isSame(frame: string, data: Record<string, unknown>): boolean {
  const json = /^data: (.*)$/m.exec(frame)?.[1] ?? '{}';
  return JSON.stringify({ ...JSON.parse(json), at: 0 }) === JSON.stringify({ ...data, at: 0 });
}
