import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { serverTimedBackend } from '../../../src/shared/runtime/bullmq-backend.js';
import { inShard } from '../../../src/shared/shards.js';
import { Permits } from '../../../src/worker/run/permits.js';
import { ShardWorker } from '../../../src/worker/run/shard-worker.js';
import { RateOrder, withSharedRate } from '../../../src/worker/run/shared-rate.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const keyspace = createKeyspace('t', 3);
const SHARDS = [0, 1, 2];
/** The longest time between counting a job for a rate limit and taking it on a busy machine, in ms. */
const LATENCY_MS = 400;

let redis: TestRedis;
let connection: Redis;
let queues: Queue[];
let workers: ShardWorker[];
/** The shards of the jobs that were begun, in order. */
let begun: number[];
/** Ends one running job each. */
let ends: Array<() => void>;
let most: number;
let order: RateOrder;

beforeAll(async () => {
  redis = await startRedis();
  connection = openRedis(redis.url);
});
afterEach(async () => {
  for (const end of ends) end();
  await Promise.all(workers.map((worker) => worker.close()));
  await Promise.all(queues.map((queue) => queue.close()));
  await connection.flushall();
});
afterAll(async () => {
  connection.disconnect();
  await redis.stop();
});

interface Options {
  permits: number;
  /** Whether jobs end at once. */
  quick?: boolean;
  rate?: { max: number; perMs: number };
}

/** Opens a worker for each shard. Resolves when all wait for jobs. */
async function open({ permits: total, quick = false, rate }: Options): Promise<void> {
  begun = [];
  ends = [];
  most = 0;
  queues = SHARDS.map((shard) => new Queue('q', { connection, prefix: keyspace.prefixOf(shard) }));
  const permits = new Permits(total);
  order = new RateOrder();
  workers = SHARDS.map((shard) => {
    const options = { connection, prefix: keyspace.prefixOf(shard), concurrency: total, drainDelay: 1 };
    return new ShardWorker(
      'q',
      async () => {
        begun.push(shard);
        let end: () => void = () => {};
        const ended = new Promise<void>((resolve) => (end = resolve));
        ends.push(end);
        most = Math.max(most, ends.length);
        if (!quick) await ended;
        ends.splice(ends.indexOf(end), 1);
      },
      {
        ...options,
        permits,
        askForEach: rate !== undefined,
      },
      rate
        ? withSharedRate(serverTimedBackend, {
            redis: connection,
            keyspace,
            queue: inShard('q', shard),
            order,
            ...rate,
          })
        : serverTimedBackend,
    );
  });
  const waiting = async (): Promise<number> =>
    Number(/blocked_clients:(\d+)/.exec(await connection.info('clients'))?.[1]);
  await until('all wait', async () => (await waiting()) === SHARDS.length);
}

const add = (shard: number, count: number): Promise<unknown> =>
  queues[shard]!.addBulk(Array.from({ length: count }, () => ({ name: 'job', data: {} })));
const active = async (): Promise<number> => {
  const lengths = await Promise.all(
    SHARDS.map((shard) => connection.llen(`${keyspace.prefixOf(shard)}:q:active`)),
  );
  return lengths.reduce((sum, length) => sum + length);
};

it('uses all permits for one shard, and takes no job without a permit', async () => {
  await open({ permits: 3 });
  await add(1, 5);
  await until('all permits are used', () => begun.length === 3);
  await add(0, 2);
  await add(2, 2);
  // The workers of these shards have seen their jobs: they have put the marker back.
  await until('the others wait', async () => (await connection.zcard('{t~2.23}:q:marker')) === 1);
  expect(await active()).toBe(3);
  expect(begun).toEqual([1, 1, 1]);
  while (begun.length < 9 || ends.length > 0) {
    const before = begun.length;
    ends[0]?.();
    await until('the next has begun', () => begun.length > before || begun.length === 9);
    expect(await active()).toBeLessThanOrEqual(3);
  }
  expect(most).toBe(3);
});

it('shares its permits fairly between shards that have more jobs than it can run', async () => {
  await open({ permits: 2 });
  await Promise.all(SHARDS.map((shard) => add(shard, 20)));
  for (let done = 0; done < 30; done++) {
    await until('a job has begun', () => begun.length >= done + 2);
    ends[0]!();
  }
  await until('the last has begun', () => begun.length >= 31);
  const first = begun.slice(0, 30);
  for (const shard of SHARDS) expect(first.filter((it) => it === shard).length).toBeGreaterThanOrEqual(8);
});

it('leaves a job for which it has no permit to another process', async () => {
  await open({ permits: 1 });
  await add(0, 1);
  await until('it runs', () => begun.length === 1);
  await add(1, 1);
  const other = new Redis(redis.url);
  // What another process does that waits for a job.
  expect(await other.bzpopmin('{t~1.21}:q:marker', 10)).toEqual(['{t~1.21}:q:marker', '0', '0']);
  other.disconnect();
});

it('closes while it waits for a permit', async () => {
  await open({ permits: 1 });
  await add(0, 1);
  await until('it runs', () => begun.length === 1);
  await add(1, 1);
  await until('the other waits', async () => (await connection.zcard('{t~1.21}:q:marker')) === 1);
  await workers[1]!.close();
  expect(begun).toEqual([0]);
  expect(await connection.llen('{t~1.21}:q:wait')).toBe(1);
});

it('does not exceed a rate limit over all shards, and uses it up', async () => {
  const rate = { max: 6, perMs: 700 };
  await open({ permits: 10, quick: true, rate });
  await Promise.all(SHARDS.map((shard) => add(shard, 8)));
  await until('all have run', () => begun.length === 24, 15_000);
  const jobs = (await Promise.all(queues.map((queue) => queue.getCompleted()))).flat();
  const times = jobs.map(({ processedOn }) => processedOn!).sort((a, b) => a - b);
  // The first window may have begun before the first job, so that two windows meet: 24 jobs take two whole ones at least.
  expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(2 * rate.perMs - LATENCY_MS);
  for (const [i, at] of times.entries()) {
    const before = times[i - 2 * rate.max];
    if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(rate.perMs - LATENCY_MS);
  }
  expect(times.at(-1)! - times[0]!).toBeLessThan(5 * rate.perMs);
});

it('shards that were refused a job ask again in the order in which they were refused', async () => {
  await open({ permits: 10, quick: true, rate: { max: 1, perMs: 60_000 } });
  await add(0, 1);
  await until('it has run', () => begun.length === 1);
  const refused: string[] = [];
  const { refuse } = order;
  order.refuse = (queue) => {
    refused.push(queue);
    return refuse.call(order, queue);
  };
  for (const shard of [2, 0, 1]) {
    await add(shard, 1);
    await until('it was refused', () => refused.includes(inShard('q', shard)));
  }
  const waits = [2, 0, 1].map((shard) => refuse.call(order, inShard('q', shard)));
  expect(waits[0]).toBe(0);
  expect(waits).toEqual([...new Set(waits)].sort((a, b) => a - b));
});

it('polling an empty shard does not count for a rate limit', async () => {
  await open({ permits: 10, quick: true, rate: { max: 1, perMs: 60_000 } });
  await add(2, 1);
  await until('it has run', () => begun.length === 1);
  expect(await connection.get('{t}:q:limiter')).toBe('1');
  await connection.del('{t}:q:limiter');
  await queues[1]!.add('job', {}, { delay: 600_000 });
  // Wakes its worker before the job is due.
  await connection.zadd('{t~1.21}:q:marker', 0, '0');
  // It has looked at the delayed job, and given back what it had counted.
  await until('it has looked', async () => /cmdstat_incrby:/.test(await connection.info('commandstats')));
  expect(await connection.get('{t}:q:limiter')).toBeNull();
});
