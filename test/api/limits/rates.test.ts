import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { takeFrom } from '../../../src/api/limits/bucket.js';
import { LIMITS, type RateName } from '../../../src/api/limits/names.js';
import { createRates } from '../../../src/api/limits/rates.js';
import { limitScripts } from '../../../src/api/limits/scripts.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { awaitRedis } from '../../../src/shared/redis/await.js';
import type { RedisClient } from '../../../src/shared/redis/client.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { ofAllMasters, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const keyspace = createKeyspace('t');
const limit: RateName = 'requests';
const { windowMs } = LIMITS[limit];

let server: TestRedis;
let connections: RedisClient[];
beforeAll(async () => {
  server = await startRedis();
  connections = [1, 2].map(() =>
    ofAllMasters(connectRedis(server.url, 'request', { scripts: limitScripts })),
  );
  for (const connection of connections) await awaitRedis(connection, { url: server.url });
});
afterAll(async () => {
  for (const connection of connections) connection.disconnect();
  await server.stop();
});

/** The rates of two processes. */
const twoRates = () =>
  connections.map((redis) => createRates(redis, keyspace)) as [
    ReturnType<typeof createRates>,
    ReturnType<typeof createRates>,
  ];

/** How many scripts the server has run. */
async function scriptCalls(): Promise<number> {
  const info = (await connections[0]?.info('commandstats')) ?? '';
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(info)?.[1] ?? 0);
}

it('two processes together allow as many as the limit, in one call for each turn', async () => {
  const rates = twoRates();
  const max = 30;
  // The first call of a connection sends the script itself.
  for (const each of rates) await each.take({ limit, who: 'other', max });
  const before = await scriptCalls();
  const taken = await Promise.all(
    Array.from({ length: 50 }, (_, i) => rates[i % 2]?.take({ limit, who: 'racing', max })),
  );
  expect(taken.filter((each) => each?.allowed)).toHaveLength(max);
  expect(await scriptCalls()).toBe(before + 2);
  const refused = taken.find((each) => !each?.allowed);
  expect(refused?.remaining).toBe(0);
  expect(refused?.retryAfterMs).toBeGreaterThan(0);
  expect(refused?.retryAfterMs).toBeLessThanOrEqual(windowMs / max);
  expect(refused?.resetMs).toBeGreaterThan(windowMs - windowMs / max);
});

it('a flood of a refused caller does not reach Redis', async () => {
  const [rates] = twoRates();
  const whole = { limit, who: 'flooding', max: 1 };
  await rates.take(whole);
  expect((await rates.take(whole)).allowed).toBe(false);
  const before = await scriptCalls();
  for (let i = 0; i < 10_000; i++) expect((await rates.take(whole)).allowed).toBe(false);
  expect(await scriptCalls()).toBe(before);
  expect(rates.refused(limit, 'flooding')?.retryAfterMs).toBeGreaterThan(0);
  expect(rates.refused(limit, 'flooding', 0)).toBeUndefined();
});

it('gives units back, takes all units or none, and leaves no key for a full bucket', async () => {
  const [rates] = twoRates();
  const taking = { limit, who: 'bulk', max: 10 };
  expect(await rates.take({ ...taking, units: 8 })).toMatchObject({ allowed: true, remaining: 2 });
  expect(await rates.take({ ...taking, units: 3 })).toMatchObject({ allowed: false, remaining: 2 });
  expect(await rates.take({ ...taking, units: 2 })).toMatchObject({ allowed: true, remaining: 0 });
  const key = `t:{limits}:${limit}:bulk`;
  expect(await connections[0]?.pttl(key)).toBeLessThanOrEqual(windowMs);
  expect(await rates.take({ ...taking, units: -20 })).toMatchObject({ allowed: true, remaining: 10 });
  expect(await connections[0]?.exists(key)).toBe(0);
});

it('a refused caller is asked about again when units have been given back, here or by another process', async () => {
  const [rates, others] = twoRates();
  // The window is a day: the time of a refusal is not worth waiting for.
  const day = { limit: 'upload-bytes', who: 'patient', max: 10 } as const;
  await rates.take({ ...day, units: 10 });
  const refusals = await Promise.all([rates, others].map((each) => each.take(day)));
  expect(refusals).toMatchObject([{ allowed: false }, { allowed: false }]);
  expect(others.refused('upload-bytes', 'patient')?.retryAfterMs).toBeGreaterThan(3_600_000);
  await rates.take({ ...day, units: -5 });
  expect(await rates.take(day)).toMatchObject({ allowed: true, remaining: 4 });
  await until('the other process allows it too', async () => (await others.take(day)).allowed);
});

it('Redis counts like the process', async () => {
  const [redis] = connections as [Redis];
  const call = redis as unknown as { takeUnits(...args: Array<string | number>): Promise<number[]> };
  const takings = fc.array(
    fc.record({
      units: fc.integer({ min: -50, max: 200 }),
      max: fc.integer({ min: 1, max: 1000 }),
      // The time that passes during the test must not matter.
      windowMs: fc.integer({ min: 1, max: 10 }).map((n) => n * 1e9),
    }),
    { minLength: 1, maxLength: 20 },
  );
  await fc.assert(
    fc.asyncProperty(takings, async (all) => {
      await redis.del('bucket');
      const keys = all.map(() => 'bucket');
      const args = all.flatMap(({ units, max, windowMs: window }) => [units, max, window]);
      const replies = await call.takeUnits(keys.length, ...keys, ...args);
      let fullAt = 0;
      const expected = all.flatMap((taking) => {
        const taken = takeFrom(fullAt, 1e12, taking);
        fullAt = taken.fullAt;
        return [taken.allowed ? 1 : 0, taken.remaining];
      });
      expect(replies.filter((_, i) => i % 4 < 2)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

it('limits on its own while Redis is away, and with the others when it is back', async () => {
  const [rates] = twoRates();
  const taking = { limit, who: 'patient', max: 3 };
  await rates.take({ ...taking, units: 2 });
  await server.kill();
  await until('the connection is lost', () => connections.every(({ status }) => status !== 'ready'));
  const away = [];
  for (let i = 0; i < 4; i++) away.push((await rates.take(taking)).allowed);
  expect(away).toEqual([true, true, true, false]);
  await server.restart();
  await until('the connections are back', () => connections.every(({ status }) => status === 'ready'));
  // The server has lost its counts, because it keeps no file.
  expect(await rates.take({ ...taking, who: 'next' })).toMatchObject({ allowed: true, remaining: 2 });
});
