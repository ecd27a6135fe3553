import { dashboardKeys } from '../dashboard/keys.js';
import type { ProcessView } from '../dashboard/views.js';
import { indexKeysByShard, setsFor } from '../job-index/keys.js';
import { addressOf } from '../jobs/queues.js';
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
import { inShard } from '../shards.js';
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
  const keysOf = indexKeysByShard(keyspace);
  const dashboard = dashboardKeys(keyspace);
  const kinds = [...registry.keys()];

  /** The sets of a shard's index by state: of one kind, or of all. */
  const indexed = (
    shard: number,
    states: readonly (typeof JOB_STATES)[number][],
    names: string[],
  ): string[] => setsFor(keysOf(shard).sets, { states, names, tags: [] }).byName;

  const sum = (numbers: readonly number[]): number => numbers.reduce((all, number) => all + number, 0);

  /** Returns the sum of what is counted in each shard. */
  const ofShards = async (count: (shard: number) => Promise<number>): Promise<number> =>
    sum(await Promise.all(keyspace.shards.all.map(count)));

  async function readJobs(): Promise<Samples> {
    const groups = [[], ...kinds.map((kind) => [kind])];
    const counts = await Promise.all(
      groups.map((names) =>
        Promise.all(
          JOB_STATES.map((state) =>
            ofShards(async (shard) =>
              sum(
                await Promise.all(indexed(shard, [state], names).map((key) => orNone(redis.zcard(key), 0))),
              ),
            ),
          ),
        ),
      ),
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
          keyspace.shards.all
            .flatMap((shard) => indexed(shard, WAITING, [kind]))
            .map((key) => orNone(redis.zrange(key, '0', String(CANDIDATES - 1)), [])),
        );
        const since = await Promise.all(found.flat().map((id) => waitingSince(id)));
        const now = serverNow();
        const ages = since.map((at) => (at === undefined ? 0 : Math.max(0, now - at)));
        return { labels: [kind], value: Math.max(0, ...ages) / 1000 };
      }),
    );
  }

  /** Returns since when a job could run, or more exactly, the latest time before which it surely could not. */
  async function waitingSince(jobId: string): Promise<number | undefined> {
    const address = addressOf(jobId);
    if (!address) return undefined;
    const key = keyspace.queueKey(address.queue, address.id);
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
        const value = await ofShards(async (shard) =>
          sum(await Promise.all(keys.map((key) => lengthOf(inShard(queue, shard), key)))),
        );
        return { labels: [queue, state], value };
      }),
    );
    const paused = names.map(async (queue) => ({
      labels: [queue],
      value: Math.min(
        1,
        await ofShards((shard) =>
          orNone(redis.hexists(keyspace.queueKey(inShard(queue, shard), 'meta'), 'paused'), 0),
        ),
      ),
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
