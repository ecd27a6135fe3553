import type { Cluster, Redis } from 'ioredis';
import { channelKeys, jobChannel } from '../channel/keys.js';
import type { Publisher } from '../channel/publisher.js';
import { addressOf, queueKey } from '../jobs/queues.js';
import { serverNow } from '../redis/server-clock.js';
import { plainProgress } from './foreign-progress.js';

/** What a worker that knows nothing of us gave to BullMQ's `updateProgress`. */
export interface PlainProgress {
  value: unknown;
  attempt: number;
  /** ms since 1970 */
  at: number;
}

export interface PlainReportsOptions {
  redis: Redis | Cluster;
  prefix: string;
  queuePrefix: string;
  publisher: Publisher;
}

/** Carries to a job's channel what its worker said through BullMQ alone. Any number of processes may, at once. */
export interface PlainReports {
  /** Tells the lines of the job's log (`job.log`) that were not told yet, then its progress, unless of another attempt. */
  tell(jobId: string, attempt: number, progress?: PlainProgress): Promise<void>;
}

/**
 * The field of a job's hash, set by our workers: how many lines of the job's log in BullMQ are on the channel without
 * anybody carrying them there.
 */
export const LOGGED = 'hw:logged';

const LINES_AT_ONCE = 500;
const MAX_LINE = 10_000;

export function createPlainReports({
  redis,
  prefix,
  queuePrefix,
  publisher,
}: PlainReportsOptions): PlainReports {
  async function tellLines(jobId: string, attempt: number): Promise<void> {
    const channel = jobChannel(jobId);
    const { queue, id } = addressOf(jobId)!;
    const job = queueKey(queuePrefix, queue, id);
    const [lines, logged, told] = await Promise.all([
      redis.llen(`${job}:logs`),
      redis.hget(job, LOGGED),
      redis.hget(channelKeys(prefix, channel)[0], 'lines'),
    ]);
    let from: number | string = told ?? '';
    for (let next = Math.max(Number(from), Number(logged ?? 0)); next < lines; ) {
      const page = await redis.lrange(`${job}:logs`, next, next + LINES_AT_ONCE - 1);
      if (page.length === 0) return;
      // In order: they go over one connection.
      const published = page.map((line) => {
        const message = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}… (cut)` : line;
        const data = { jobId, attempt, level: 'info', message, at: serverNow() };
        const mark = { field: 'lines' as const, from, to: ++next };
        from = next;
        return publisher.publish(channel, { event: 'log', data }, { attempt, mark });
      });
      // Somebody else is at it, or the attempt is over.
      if ((await Promise.all(published)).includes(undefined)) return;
    }
  }

  async function tellProgress(jobId: string, { value, attempt, at }: PlainProgress): Promise<void> {
    const channel = jobChannel(jobId);
    const [key, , slots] = channelKeys(prefix, channel);
    const [[toldAttempt, told], newest] = await Promise.all([
      redis.hmget(key, 'attempt', 'percent'),
      redis.hget(slots, 'progress'),
    ]);
    const begun = Number(toldAttempt) === attempt;
    // The run publishes its progress itself; what some tool says of it besides is no news.
    if (begun && newest && told == null) return;
    const before = begun && told ? parsePercent(told) : null;
    const data = plainProgress(value, { jobId, attempt, at }, before);
    // Two who look at once have the same to tell.
    if (begun && newest && isSame(newest, data)) return;
    const mark = { field: 'percent' as const, from: told ?? '', to: String(data.percent) };
    await publisher.publish(channel, { event: 'progress', kind: 'state', data }, { attempt, mark });
  }

  return {
    async tell(jobId, attempt, progress) {
      await tellLines(jobId, attempt);
      if (progress?.attempt === attempt) await tellProgress(jobId, progress);
    },
  };
}

const parsePercent = (told: string): number | null => (told === 'null' ? null : Number(told));

/** Whether a frame says the same, but for the time. */
function isSame(frame: string, data: Record<string, unknown>): boolean {
  const json = /^data: (.*)$/m.exec(frame)?.[1] ?? '{}';
  return JSON.stringify({ ...JSON.parse(json), at: 0 }) === JSON.stringify({ ...data, at: 0 });
}
