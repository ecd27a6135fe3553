import { dashboardKeys } from '../dashboard/keys.js';
import type { ProcessView } from '../dashboard/views.js';
import { indexKeys, setsFor } from '../job-index/keys.js';
import { JOB_STATES } from '../jobs/states.js';
import { OTHER_KIND } from '../lifecycle/job-counter.js';
import {
  jobsByState,
  oldestWaiting,
  processes,
  queueJobs,
  queuePaused,
  queueWorkers,
} from '../metrics/installation-metrics.js';
import type { Sample } from '../metrics/instruments.js';
import { isRedisFault } from '../redis/faults.js';
import { pairsOf } from '../redis/pairs.js';
import { serverNow } from '../redis/server-clock.js';
import type { ProcessCore } from './core.js';

/** The states of a job that could run. */
const WAITING = ['waiting', 'prioritized'] as const;
/** BullMQ's keys of the states of unfinished jobs in a queue. While a queue is paused, its waiting jobs may be in `paused`. */
const QUEUE_STATES = {
  waiting: ['wait', 'paused'],
  prioritized: ['prioritized'],
  delayed: ['delayed'],
  'waiting-children': ['waiting-children'],
  active: ['active'],
} as const;
const LISTS: ReadonlySet<string> = new Set(['wait', 'paused', 'active']);

/** How many of the jobs that were created first are looked at to find the one that has waited longest. */
const CANDIDATES = 3;

type Samples = Sample<number>[];

/** Reads as `none` what another program has replaced with a key of another type. */
const orNone = <T>(read: Promise<T>, none: T): Promise<T> =>
  read.catch((error: unknown) => {
    if (isRedisFault(error)) throw error;
    return none;
  });

/** Reads what is true of the whole installation from Redis, and keeps it for the gauges. */
export interface InstallationReader {
  /** The number of commands depends on the kinds and queues, not on the jobs; each takes O(1) or O(log n). */
  read(): Promise<void>;
  /** Removes the gauges. */
  close(): void;
}

export function createInstallationReader({ connection, registry, plan }: ProcessCore): InstallationReader {
  const { redis, keyspace } = connection;
  const { sets } = indexKeys(keyspace);
  const dashboard = dashboardKeys(keyspace);
  const kinds = [...registry.keys()];

  /** The sets of the index by state: of one kind, or of all. */
  const indexed = (states: readonly (typeof JOB_STATES)[number][], names: string[]): string[] =>
    setsFor(sets, { states, names, tags: [] }).byName;

  async function readJobs(): Promise<Samples> {
    const groups = [[], ...kinds.map((kind) => [kind])].map((names) => indexed(JOB_STATES, names));
    const counts = await Promise.all(
      groups.map((keys) => Promise.all(keys.map((key) => orNone(redis.zcard(key), 0)))),
    );
    const [all = [], ...byKind] = counts;
    const known = JOB_STATES.map((_state, i) => byKind.reduce((sum, states) => sum + (states[i] ?? 0), 0));
    const others = all.map((count, i) => Math.max(0, count - (known[i] ?? 0)));
    return [...kinds, OTHER_KIND].flatMap((kind, k) =>
      JOB_STATES.map((state, i) => ({ labels: [kind, state], value: (byKind[k] ?? others)[i] ?? 0 })),
    );
  }

  async function readOldest(): Promise<Samples> {
    return Promise.all(
      kinds.map(async (kind) => {
        const found = await Promise.all(
          indexed(WAITING, [kind]).map((key) => orNone(redis.zrange(key, '0', String(CANDIDATES - 1)), [])),
        );
        const since = await Promise.all(found.flat().map((id) => waitingSince(kind, id)));
        const now = serverNow();
        const ages = since.map((at) => (at === undefined ? 0 : Math.max(0, now - at)));
        return { labels: [kind], value: Math.max(0, ...ages) / 1000 };
      }),
    );
  }

  /** Returns since when a job could run, or more exactly, the latest time before which it surely could not. */
  async function waitingSince(kind: string, id: string): Promise<number | undefined> {
    const key = keyspace.queueKey(plan.of(kind), id);
    const [created, opts, startedAt] = await orNone(redis.hmget(key, 'timestamp', 'opts', 'processedOn'), []);
    if (!created) return undefined;
    const delay = Number(/"delay":(\d+)/.exec(opts ?? '')?.[1] ?? 0);
    return Math.max(Number(created) + delay, Number(startedAt ?? 0)) || undefined;
  }

  const lengthOf = (queue: string, name: string): Promise<number> => {
    const key = keyspace.queueKey(queue, name);
    return orNone(LISTS.has(name) ? redis.llen(key) : redis.zcard(key), 0);
  };

  async function readQueues(): Promise<{ jobs: Samples; paused: Samples }> {
    const { names } = plan;
    const jobs = names.flatMap((queue) =>
      Object.entries(QUEUE_STATES).map(async ([state, keys]) => {
        const lengths = await Promise.all(keys.map((key) => lengthOf(queue, key)));
        return { labels: [queue, state], value: lengths.reduce((sum, length) => sum + length, 0) };
      }),
    );
    const paused = names.map(async (queue) => ({
      labels: [queue],
      value: await orNone(redis.hexists(keyspace.queueKey(queue, 'meta'), 'paused'), 0),
    }));
    return { jobs: await Promise.all(jobs), paused: await Promise.all(paused) };
  }

  async function readProcesses(): Promise<{ roles: Samples; workers: Samples }> {
    const [views, deadlines] = await Promise.all([
      redis.hgetall(dashboard.processes),
      redis.zrange(dashboard.deadlines, '0', '-1', 'WITHSCORES'),
    ]);
    const now = serverNow();
    const alive = pairsOf(deadlines)
      .filter(([, deadline]) => Number(deadline) > now)
      .map(([id]) => JSON.parse(views[id] ?? '{}') as Partial<ProcessView>);
    return {
      roles: ['api', 'worker'].map((role) => ({
        labels: [role],
        value: alive.filter((view) => view.role === role).length,
      })),
      workers: plan.names.map((queue) => ({
        labels: [queue],
        value: alive.filter(({ queues = [] }) => queues.some(({ name }) => name === queue)).length,
      })),
    };
  }

  let facts: {
    jobs: Samples;
    oldest: Samples;
    depth: Samples;
    paused: Samples;
    roles: Samples;
    workers: Samples;
  } = { jobs: [], oldest: [], depth: [], paused: [], roles: [], workers: [] };
  const gauges = [
    jobsByState.from(() => facts.jobs),
    oldestWaiting.from(() => facts.oldest),
    queueJobs.from(() => facts.depth),
    queuePaused.from(() => facts.paused),
    queueWorkers.from(() => facts.workers),
    processes.from(() => facts.roles),
  ];
  return {
    async read() {
      const [jobs, oldest, queues, alive] = await Promise.all([
        readJobs(),
        readOldest(),
        readQueues(),
        readProcesses(),
      ]);
      facts = { jobs, oldest, depth: queues.jobs, paused: queues.paused, ...alive };
    },
    close() {
      for (const remove of gauges) remove();
    },
  };
}
