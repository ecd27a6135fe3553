import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createAttemptsReader } from '../../../src/shared/lifecycle/attempts.js';
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

it('counts the runs that started after an entry, 500 entries for each call', async () => {
  const events = '{t}:q:events';
  const ids: string[] = [];
  const began = new Map<string, number>();
  const pipeline = redis.pipeline();
  for (let i = 0; i < 3210; i++) {
    ids.push(`${i + 1}-0`);
    const job = `j${i % 3}`;
    const event = i % 5 === 0 ? 'active' : 'waiting';
    if (event === 'active') began.set(job, (began.get(job) ?? 0) + 1);
    pipeline.xadd(events, `${i + 1}-0`, 'event', event, 'jobId', job);
  }
  for (const [job, count] of began) pipeline.hset(`{t}:q:${job}`, 'ats', count);
  await pipeline.exec();
  const read = createAttemptsReader(redis, createKeyspace('t'));
  for (const at of [0, 1, 499, 500, 2000, 3208, 3209]) {
    await redis.config('RESETSTAT');
    const upTo = (job: number): number =>
      Array.from({ length: at + 1 }, (_, i) => i).filter((i) => i % 5 === 0 && i % 3 === job).length;
    expect(await read('q', ids[at]!, ['j0', 'j1', 'j2', 'gone'])).toEqual([upTo(0), upTo(1), upTo(2), 0]);
    // One XRANGE for each 500 entries after this entry.
    const [, calls] = /cmdstat_xrange:calls=(\d+)/.exec(await redis.info('commandstats'))!;
    expect(Number(calls)).toBe(Math.floor((3209 - at) / 500) + 1);
  }
  expect(await read('none', '5-0', ['j0'])).toEqual([0]);
  expect(await read('q', '5-0', [])).toEqual([]);
});
