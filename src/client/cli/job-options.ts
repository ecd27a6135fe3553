import { type Command, InvalidArgumentError } from 'commander';
import { MAX_PRIORITY } from '../../shared/jobs/settings.js';
import type { JobOptions } from '../types.js';
import { UsageError } from './problem.js';
import { duration, json, several, visible, whole } from './values.js';

/** The options of a start, as commander returns them. Times are in ms. */
export interface TypedJobOptions {
  delay?: number;
  runAt?: string;
  priority?: number;
  attempts?: number;
  backoff?: NonNullable<JobOptions['backoff']>;
  ttl?: number;
  timeout?: number;
  keep?: number;
  title?: string;
  tag?: string[];
  metadata?: string;
  webhook?: string;
  deduplicationKey?: string;
}

/** Adds the options that a start sets for its job (`options` of `POST /v1/jobs`). */
export const withJobOptions = (command: Command): Command =>
  command
    .optionsGroup('Job options:')
    .option('--delay <time>', 'start after this delay: 30s, 5m, 2h', duration)
    .option('--run-at <time>', 'start at this time: RFC 3339 with a time zone', instant)
    .option('--priority <n>', 'priority; 1 is the highest', whole(0, MAX_PRIORITY))
    .option('--attempts <n>', 'maximum attempts', whole(1, 100))
    .option('--backoff <type:time>', 'delay before the next attempt: fixed:5s, exponential:1s', backoff)
    .option('--ttl <time>', 'fail the job if it has not started within this time', duration)
    .option('--timeout <time>', 'stop an attempt that takes longer', duration)
    .option('--keep <time>', 'how long to keep the job after its end', duration)
    .option('--title <text>', 'title shown with the job')
    .option('--tag <tag>', 'tag; repeatable', several)
    .option('--metadata <json>', 'object shown with the job: JSON, @FILE or -')
    .option('--webhook <url>', 'URL to call when the job ends')
    .option('--idempotency-key <key>', 'calls with the same key and data start one job', visible)
    .option('--deduplication-key <key>', 'return the unfinished job with this key, if there is one', visible);

/** @throws UsageError */
export async function jobOptions(typed: TypedJobOptions): Promise<JobOptions> {
  const { delay, runAt, ttl, timeout, keep, title, tag, metadata, webhook } = typed;
  if (delay !== undefined && runAt !== undefined) {
    throw new UsageError('--delay and --run-at cannot be used together');
  }
  const { priority, attempts, backoff, deduplicationKey } = typed;
  const all = {
    delayMs: delay,
    runAt,
    priority,
    attempts,
    backoff,
    ttlMs: ttl,
    timeoutMs: timeout,
    keepMs: keep,
    title,
    tags: tag,
    metadata: metadata === undefined ? undefined : await json('--metadata', metadata),
    webhook: webhook === undefined ? undefined : { url: webhook },
    deduplicationKey,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function instant(text: string): string {
  if (!/T.*(Z|[+-]\d\d:\d\d)$/i.test(text) || Number.isNaN(Date.parse(text))) {
    throw new InvalidArgumentError(
      'It must be a time with a time zone: 2027-01-31T09:00:00Z, 2027-01-31T09:00:00+01:00.',
    );
  }
  return text;
}

function backoff(text: string): NonNullable<JobOptions['backoff']> {
  const [, type, wait] = /^(fixed|exponential):(.+)$/.exec(text) ?? [];
  if (!wait) throw new InvalidArgumentError('It must be a type and a time: fixed:5s, exponential:1s.');
  return { type: type as 'fixed' | 'exponential', delayMs: duration(wait) };
}
