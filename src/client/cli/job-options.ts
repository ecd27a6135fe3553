import { type Command, InvalidArgumentError } from 'commander';
import { MAX_PRIORITY } from '../../shared/jobs/settings.js';
import type { JobOptions } from '../types.js';
import { UsageError } from './problem.js';
import { duration, json, several, visible, whole } from './values.js';

/** The options of a start as commander gives them. Times are in ms. */
export interface TypedJobOptions {
  delay?: number;
  runAt?: string;
  priority?: number;
  attempts?: number;
  backoff?: NonNullable<JobOptions['backoff']>;
  ttl?: number;
  timeout?: number;
  keep?: number;
  tag?: string[];
  metadata?: string;
  webhook?: string;
  deduplicationKey?: string;
}

/** Adds what a start can decide about its job (`options` of `POST /v1/jobs`). */
export const withJobOptions = (command: Command): Command =>
  command
    .optionsGroup('Options of the job:')
    .option('--delay <time>', 'begin this much later: 30s, 5m, 2h', duration)
    .option('--run-at <time>', 'begin at this time: RFC 3339 with a zone', instant)
    .option('--priority <n>', '1 is first', whole(0, MAX_PRIORITY))
    .option('--attempts <n>', 'run it so often at most', whole(1, 100))
    .option('--backoff <type:time>', 'wait before the next attempt: fixed:5s, exponential:1s', backoff)
    .option('--ttl <time>', 'fail it when it has not begun by then', duration)
    .option('--timeout <time>', 'stop a run that takes longer', duration)
    .option('--keep <time>', 'keep it this long after its end', duration)
    .option('--tag <tag>', 'a tag, may be given several times', several)
    .option('--metadata <json>', 'an object that is shown with it: JSON, @FILE or -')
    .option('--webhook <url>', 'call this address when it ends')
    .option('--idempotency-key <key>', 'the same key and data start one job only', visible)
    .option('--deduplication-key <key>', 'while a job of this key has not ended, it is that one', visible);

/** @throws UsageError */
export async function jobOptions(typed: TypedJobOptions): Promise<JobOptions> {
  const { delay, runAt, ttl, timeout, keep, tag, metadata, webhook } = typed;
  if (delay !== undefined && runAt !== undefined) {
    throw new UsageError('--delay and --run-at exclude one another');
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
      'It is a time with a zone: 2027-01-31T09:00:00Z, 2027-01-31T09:00:00+01:00.',
    );
  }
  return text;
}

function backoff(text: string): NonNullable<JobOptions['backoff']> {
  const [, type, wait] = /^(fixed|exponential):(.+)$/.exec(text) ?? [];
  if (!wait) throw new InvalidArgumentError('It is a type and a time: fixed:5s, exponential:1s.');
  return { type: type as 'fixed' | 'exponential', delayMs: duration(wait) };
}
