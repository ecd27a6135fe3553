import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createOutcomeCounter } from '../../../src/shared/dashboard/counter.js';
import { dashboardScripts } from '../../../src/shared/dashboard/scripts.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { RANK } from '../../../src/shared/lifecycle/published.js';
import { scriptsOf } from '../../../src/shared/redis/scripts.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = openRedis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

it('keeps a bounded number of counters for a minute when each job has a different name, and counts every job', async () => {
  const counter = createOutcomeCounter(redis, createKeyspace('t'));
  const end = (name: string) =>
    counter.afterPublish(
      { event: { event: 'failed', end: true }, fence: { attempt: 1, rank: RANK.active + 1 } } as never,
      { name, settings: {}, attempt: 0, createdAt: 0 } as never,
    );
  for (let i = 0; i < 3000; i++) end(`job ${i}`);
  await counter.flush();
  for (let i = 0; i < 1500; i++) end(`job ${i}`);
  await counter.flush();
  const minutes = await Promise.all((await redis.keys('*')).map((key) => redis.hgetall(key)));
  const counts = minutes.flatMap((minute) => Object.values(minute).map(Number));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4500);
  // A new minute may have begun during the test.
  for (const minute of minutes) expect(Object.keys(minute).length).toBeLessThanOrEqual(2001);
  if (minutes.length === 1)
    expect(minutes[0]).toMatchObject({ 'failed:job 7': '2', 'failed:others': '1000' });
  // The counters are split over several calls.
  const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))!;
  expect(Number(calls)).toBeGreaterThanOrEqual(8);
});

it('counts each job once when another tool has replaced a minute or a counter', async () => {
  await redis.flushall();
  await redis.set('replaced', 'text');
  await redis.hset('spoilt', 'failed:a', 'text');
  const minutes = ['good', 'replaced', 'spoilt'];
  const counts = [1, 'failed:a', 1, 2, 'failed:a', 1, 3, 'failed:a', 1, 3, 'failed:b', 1];
  await scriptsOf(redis, dashboardScripts).countMinutes(
    minutes.length,
    ...minutes,
    ...minutes.map(() => 60_000),
    ...counts,
  );
  expect(await redis.hgetall('good')).toEqual({ 'failed:a': '1' });
  expect(await redis.get('replaced')).toBe('text');
  expect(await redis.hgetall('spoilt')).toEqual({ 'failed:a': 'text', 'failed:b': '1' });
});
