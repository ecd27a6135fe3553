import type { WorkerCensus } from '../bullmq/worker-census.js';
import { dashboardKeys } from '../dashboard/keys.js';
import { MINUTE_MS, minuteOf } from '../dashboard/minutes.js';
import { scopeOf } from '../job-index/keys.js';
import type { Keyspace } from '../keyspace.js';
import type { Config } from '../process/config.js';
import { allNodes, type RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import type { Reading } from './alert.js';
import { span } from './message.js';
import { createWaitReader, type WaitingJobs } from './waiting.js';

/** Maximum number of kinds of job that can alert at the same time. Other tools may give each job a different name. */
const MAX_KINDS = 20;
const MAX_SUBJECT = 100;

export interface MeasureOptions {
  redis: RedisClient;
  keyspace: Keyspace;
  /** The names of all queues. */
  queues: readonly string[];
  census: WorkerCensus;
  config: Pick<
    Config,
    | 'ALERT_FAILED_PERCENT'
    | 'ALERT_FAILED_MIN_JOBS'
    | 'ALERT_FAILED_WINDOW_MS'
    | 'ALERT_WAIT_MS'
    | 'ALERT_NO_WORKER_MS'
    | 'ALERT_MEMORY_PERCENT'
  >;
}

/** Returns the function that measures everything that alerts watch. It takes one round trip to Redis, and two for waiting jobs. */
export function createMeasure(options: MeasureOptions): () => Promise<Reading[]> {
  const { redis, keyspace, queues, census, config } = options;
  const keys = dashboardKeys(keyspace);
  const readWaiting = createWaitReader(redis, keyspace);

  async function failures(): Promise<Reading[]> {
    const {
      ALERT_FAILED_PERCENT: limit,
      ALERT_FAILED_MIN_JOBS: least,
      ALERT_FAILED_WINDOW_MS: window,
    } = config;
    if (limit === 0) return [];
    const count = Math.ceil(window / MINUTE_MS);
    const last = minuteOf(serverNow());
    const minutes = await Promise.all(
      Array.from({ length: count }, (_, i) => redis.hgetall(keys.minute(scopeOf(undefined), last - i))),
    );
    const readings = [...endsByKind(minutes)].map(([name, { completed, failed }]): Reading => {
      const ends = completed + failed;
      const percent = (100 * failed) / ends;
      return {
        key: `failed-jobs:${name}`,
        kind: 'failed-jobs',
        subject: name,
        text: `${Math.round(percent)} % of the ${ends} ${name} jobs that ended in the last ${span(count * MINUTE_MS)} failed (limit ${limit} %).`,
        over: ends >= least && percent > limit,
        clear: percent <= 0.75 * limit,
        forMs: 0,
      };
    });
    const over = readings.filter((reading) => reading.over).slice(0, MAX_KINDS);
    return [...over, ...readings.filter((reading) => !reading.over)];
  }

  const inShards = <T>(queue: string, read: (queue: string) => Promise<T>): Promise<T[]> =>
    Promise.all(keyspace.shards.of(queue).map(read));

  async function waiting(): Promise<Reading[]> {
    const { ALERT_WAIT_MS: limit, ALERT_NO_WORKER_MS: noWorkerMs } = config;
    if (limit === 0 && noWorkerMs === 0) return [];
    const [found, served] = await Promise.all([
      Promise.all(queues.map(async (queue) => sumOf(await inShards(queue, readWaiting)))),
      Promise.all(queues.map(async (queue) => !(await inShards(queue, census.serves)).includes(false))),
    ]);
    const noneServed = !served.includes(true);
    const byQueue = queues.flatMap((queue, i): Reading[] => {
      const { jobs, oldestMs, paused } = found[i] ?? { jobs: 0, oldestMs: 0, paused: false };
      const hasNone = !served[i];
      const about = { subject: queue.slice(0, MAX_SUBJECT) };
      const tooLong: Reading = {
        ...about,
        key: `waiting-jobs:${queue}`,
        kind: 'waiting-jobs',
        text: `The oldest of ${jobs} waiting jobs in the queue ${queue}${paused ? ', which is paused,' : ''} has waited ${span(oldestMs)} (limit ${span(limit)}).`,
        over: oldestMs > limit,
        clear: oldestMs < limit / 2,
        forMs: 0,
      };
      const unserved: Reading = {
        ...about,
        key: `no-worker:${queue}`,
        kind: 'no-worker',
        text: hasNone
          ? `No worker takes jobs from the queue ${queue}, where ${jobs} jobs wait.`
          : `A worker takes jobs from the queue ${queue}.`,
        over: hasNone && jobs > 0 && !noneServed,
        // While no worker runs at all, one alert is enough.
        clear: !noneServed && (!hasNone || jobs === 0),
        forMs: noWorkerMs,
      };
      return [...(limit > 0 ? [tooLong] : []), ...(noWorkerMs > 0 ? [unserved] : [])];
    });
    const all: Reading = {
      key: 'no-worker',
      kind: 'no-worker',
      subject: '',
      text: noneServed ? 'No worker is running.' : 'Workers are running.',
      over: noneServed,
      clear: !noneServed,
      forMs: noWorkerMs,
    };
    return [...byQueue, ...(noWorkerMs > 0 && queues.length > 0 ? [all] : [])];
  }

  async function memory(): Promise<Reading[]> {
    const { ALERT_MEMORY_PERCENT: limit } = config;
    if (limit === 0) return [];
    const infos = await Promise.all(allNodes(redis).map((node) => node.info('memory')));
    const nodes = infos.map((info) => {
      const used = numberIn(info, 'used_memory');
      const max = numberIn(info, 'maxmemory');
      const all = max || numberIn(info, 'total_system_memory');
      return { used, max, all, percent: (100 * used) / all };
    });
    // The fullest master of a Cluster counts.
    const [fullest] = nodes.filter(({ all }) => all > 0).sort((one, other) => other.percent - one.percent);
    if (!fullest) return [];
    const { used, max, all, percent } = fullest;
    const of = max ? 'its maxmemory' : 'the memory of its machine';
    return [
      {
        key: 'redis-memory',
        kind: 'redis-memory',
        subject: '',
        text: `Redis uses ${Math.round(percent)} % of ${of} (${mib(used)} of ${mib(all)} MiB, limit ${limit} %).`,
        over: percent > limit,
        clear: percent < limit - 5 || percent < 0.75 * limit,
        forMs: 0,
      },
    ];
  }

  return async () => (await Promise.all([failures(), waiting(), memory()])).flat();
}

/** Combines the waiting jobs of a queue's shards. */
const sumOf = (shards: WaitingJobs[]): WaitingJobs => ({
  jobs: shards.reduce((sum, { jobs }) => sum + jobs, 0),
  oldestMs: Math.max(...shards.map(({ oldestMs }) => oldestMs)),
  paused: shards.some(({ paused }) => paused),
});

/** Sums the ends of jobs by kind. A cancelled job neither failed nor succeeded. */
function endsByKind(
  minutes: Array<Record<string, string>>,
): Map<string, { completed: number; failed: number }> {
  const ends = new Map<string, { completed: number; failed: number }>();
  for (const [counter, count] of minutes.flatMap((minute) => Object.entries(minute))) {
    const [, state, name] = /^(completed|failed):(.*)$/s.exec(counter) ?? [];
    if (name === undefined) continue;
    const sums = ends.get(name) ?? { completed: 0, failed: 0 };
    sums[state as 'completed' | 'failed'] += Number(count) || 0;
    ends.set(name, sums);
  }
  return ends;
}

const numberIn = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);

const mib = (bytes: number): string => Math.round(bytes / 1024 / 1024).toLocaleString('en');
