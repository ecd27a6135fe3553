import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CallerKind, LimitedCaller } from '../../../src/api/limits/caller.js';
import { createJobLimits, type JobLimits } from '../../../src/api/limits/jobs.js';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { addressOf, placedJobId } from '../../../src/shared/jobs/queues.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { awaitRedis } from '../../../src/shared/redis/await.js';
import type { RedisClient } from '../../../src/shared/redis/client.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { serverNow } from '../../../src/shared/redis/server-clock.js';
import { shardOf } from '../../../src/shared/shards.js';
import { allScripts, ofAllMasters, startRedis, type TestRedis } from '../../support/redis.js';

const MAX = 10;
const limiter = { max: (limit: string) => (limit === 'jobs' ? MAX : undefined) };

let server: TestRedis;
let connections: RedisClient[];
/** The limits of two processes. */
let limits: [JobLimits, JobLimits];
let nextId = 1;
beforeAll(async () => {
  server = await startRedis();
  connections = [1, 2].map(() => ofAllMasters(connectRedis(server.url, 'request', { scripts: allScripts })));
  for (const connection of connections) await awaitRedis(connection, { url: server.url });
  const of = (redis: RedisClient): JobLimits => createJobLimits(redis, createKeyspace('t'), limiter);
  limits = [of(connections[0]!), of(connections[1]!)];
});
afterAll(async () => {
  for (const connection of connections) connection.disconnect();
  await server.stop();
});

function reservation(kind: CallerKind, name: string, count = 1) {
  const who = `${kind === 'anonymous' ? 'address' : kind}:${name}`;
  const caller: LimitedCaller = { kind, tier: kind, who, address: who, exempt: false, own: {} };
  return {
    caller,
    owner: `user:${name}`,
    jobs: Array.from({ length: count }, () => ({ id: `q.${nextId++}` })),
  };
}

const codeOf = (promise: Promise<void>): Promise<string> =>
  promise.then(
    () => 'reserved',
    (error: { code: string }) => error.code,
  );

it.each(['anonymous', 'user', 'key'] as const)(
  'two processes cannot both reserve the last place: %s',
  async (kind) => {
    const asked = Array.from({ length: 30 }, (_, i) =>
      codeOf(limits[i % 2 ? 1 : 0].reserve(reservation(kind, `race of ${kind}`))),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter((answer) => answer === 'reserved')).toHaveLength(MAX);
    expect(new Set(answers)).toEqual(new Set(['reserved', 'quota-exceeded']));
  },
);

it('a batch gets all places or none, or as many as there are', async () => {
  await limits[0].reserve(reservation('user', 'batch', 7));
  expect(await codeOf(limits[1].reserve(reservation('user', 'batch', 4)))).toBe('quota-exceeded');
  const each = await limits[1].reserveEach(reservation('user', 'batch', 4));
  expect(each.map((error) => error?.code)).toEqual([undefined, undefined, undefined, 'quota-exceeded']);
  expect(await codeOf(limits[0].reserve(reservation('user', 'batch')))).toBe('quota-exceeded');
});

it.each(['anonymous', 'user'] as const)(
  'places come back when they are released, or when their process has died: %s',
  async (kind) => {
    const held = reservation(kind, 'held', MAX);
    await limits[0].reserve(held);
    limits[0].release({ ...held, jobs: held.jobs.slice(0, 1) });
    expect(await codeOf(limits[0].reserve(reservation(kind, 'held')))).toBe('reserved');
    expect(await codeOf(limits[0].reserve(reservation(kind, 'held')))).toBe('quota-exceeded');
    const [redis] = connections as [Redis];
    for (const key of await redis.keys('{t}.starts:*')) {
      const ids = await redis.zrange(key, 0, '-1');
      expect(await redis.pttl(key)).toBeGreaterThan(0);
      // As if all had been reserved 31 seconds ago, and never been queued.
      if (ids.includes(held.jobs[1]!.id)) {
        await redis.zadd(key, ...ids.flatMap((id) => [serverNow() - 31_000, id]));
      }
    }
    expect(await codeOf(limits[1].reserve(reservation(kind, 'held', MAX)))).toBe('reserved');
  },
);

it.each(['anonymous', 'user'] as const)('the limit holds for the jobs of all shards: %s', async (kind) => {
  const [redis] = connections as [Redis];
  const keyspace = createKeyspace('shards', 3);
  const ofShards = createJobLimits(redis, keyspace, limiter);
  const keep = createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 });
  const track = createTracker({ redis, keyspace, keep });
  const owner = `user:${kind}`;
  const started: string[] = [];
  const store = async (id: string): Promise<void> => {
    const key = keyspace.queueKey(addressOf(id)!.queue, id);
    await redis.hset(key, {
      name: 'q',
      timestamp: serverNow(),
      opts: JSON.stringify({ headway: { owner } }),
    });
    await track(id);
  };
  const start = async (): Promise<string> => {
    const id = placedJobId('q', 3);
    const code = await codeOf(ofShards.reserve({ ...reservation(kind, kind, 0), jobs: [{ id }] }));
    if (code !== 'reserved') return code;
    started.push(id);
    await store(id);
    return code;
  };
  const answers = await Promise.all(Array.from({ length: 30 }, start));
  expect(answers.filter((answer) => answer === 'reserved')).toHaveLength(MAX);
  expect(new Set(started.map((id) => shardOf(addressOf(id)!.queue))).size).toBeGreaterThan(1);
  expect(await start()).toBe('quota-exceeded');
  // A job that exists already needs no place.
  const again = { ...reservation(kind, kind, 0), jobs: [{ id: started[0]! }] };
  expect(await codeOf(ofShards.reserve(again))).toBe('reserved');

  const [ended] = started.filter((id) => shardOf(addressOf(id)!.queue) > 0);
  const { queue } = addressOf(ended!)!;
  await redis.zadd(keyspace.queueKey(queue, 'completed'), serverNow(), ended!);
  await track(ended!);
  expect(await start()).toBe('reserved');
  expect(await start()).toBe('quota-exceeded');
});
