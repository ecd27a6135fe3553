import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bucketOf } from '../../../src/shared/dashboard/histogram.js';
import { createHistory } from '../../../src/shared/dashboard/history.js';
import { hourEntry } from '../../../src/shared/dashboard/hours.js';
import { dashboardKeys } from '../../../src/shared/dashboard/keys.js';
import { counters } from '../../../src/shared/dashboard/minutes.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
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

const keyspace = createKeyspace('t');
const keys = dashboardKeys(keyspace);

it('rolls minutes up into hours, which any leader goes on with, and which never shrink', async () => {
  const now = Math.floor(Date.now() / 3_600_000);
  const minute = (hour: number, index: number): string => keys.minute('all', hour * 60 + index);
  const count = (key: string, counter: string, n: number) => redis.hincrby(key, counter, n);
  await count(minute(now - 1, 0), counters.outcome('completed', 'steps'), 4);
  await count(minute(now - 1, 59), counters.outcome('completed', 'steps'), 2);
  await count(minute(now - 1, 59), counters.outcome('failed', 'import'), 1);
  await count(minute(now - 1, 59), counters.run(bucketOf(1000), 'steps'), 6);
  // Hours that are too old, and what another tool has written.
  await redis.hset(keys.hours, { [now - 720]: '{}', [now - 719]: '{"":"?"}', [now - 5]: '[', other: '{}' });
  await createHistory(redis, keyspace).rollUp();
  const of = async (name: string) => (await createHistory(redis, keyspace).read('30d', name)).hours;
  const first = await of('');
  expect(first.map(([hour]) => hour).slice(0, 3)).toEqual([now - 719, now - 1, now]);
  expect(first[0]).toEqual([now - 719, 0, 0, 0, null, null, null, null]);
  expect(first[1]!.slice(0, 6)).toEqual([now - 1, 6, 1, 0, null, null]);
  expect(first[1]![6]).toBeGreaterThan(900);
  expect(first[1]![7]).toBeLessThan(1100);
  expect(first[2]).toEqual([now, 0, 0, 0, null, null, null, null]);
  expect((await of('import'))[1]!.slice(0, 4)).toEqual([now - 1, 0, 1, 0]);
  expect((await of('__proto__'))[1]!.slice(0, 4)).toEqual([now - 1, 0, 0, 0]);
  expect(await redis.hkeys(keys.hours)).not.toContain('other');
  expect(await redis.hkeys(keys.hours)).not.toContain(String(now - 720));

  // The next leader comes when a part of the minutes has expired, and another part has been counted late.
  await redis.del(minute(now - 1, 0));
  await createHistory(redis, keyspace).rollUp();
  expect((await of(''))[1]!.slice(0, 4)).toEqual([now - 1, 6, 1, 0]);
  await count(minute(now - 1, 58), counters.outcome('cancelled', 'steps'), 9);
  await createHistory(redis, keyspace).rollUp();
  expect((await of(''))[1]!.slice(0, 4)).toEqual([now - 1, 2, 1, 9]);
  expect((await createHistory(redis, keyspace).read('24h', '')).hours.length).toBeLessThanOrEqual(3);
  expect(await redis.pttl(keys.hours)).toBeGreaterThan(30 * 24 * 3_600_000);
});

it('keeps at most 41 kinds of job in an hour, so that 30 days take less than 2 MiB', async () => {
  const kinds = Array.from({ length: 300 }, (_, i) => `a-kind-of-job-${i}`);
  const counted = Object.fromEntries(
    kinds.flatMap((name, i) => [
      [counters.outcome('completed', name), String(10_000 + i)],
      [counters.wait(30, name), '5'],
      [counters.run(60, name), '5'],
    ]),
  );
  const entry = hourEntry([counted, counted]);
  expect(Object.keys(entry)).toHaveLength(42);
  const [all, ...each] = [entry[''], ...Object.entries(entry).flatMap(([name, one]) => (name ? [one] : []))];
  expect(all![0]).toBe(kinds.reduce((sum, _, i) => sum + 2 * (10_000 + i), 0));
  expect(each.reduce((sum, one) => sum + one![0], 0)).toBe(all![0]);
  const json = JSON.stringify(entry);
  await redis.hset('size', Object.fromEntries(Array.from({ length: 720 }, (_, i) => [500_000 + i, json])));
  expect(Number(await redis.memory('USAGE', 'size', 'SAMPLES', 0))).toBeLessThan(2 * 1024 * 1024);
});
