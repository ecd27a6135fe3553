import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createLogger } from '../../../src/shared/process/log.js';
import { createRunHistory, type RunHistory } from '../../../src/worker/estimates/run-history.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const log = createLogger({ LOG_LEVEL: 'silent' }, 'test');
const keyspace = createKeyspace('t');
let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis({ appendOnly: true });
  redis = openRedis(server.url);
  redis.on('error', () => {});
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const open = (): RunHistory => createRunHistory(redis, keyspace, ['import'], log);
const add = (history: RunHistory, ...durations: number[]): void => {
  for (const ms of durations) history.add('import', { ms, marks: [] });
};
const expected = (history: RunHistory): number | undefined =>
  history.forecast('import').duration(undefined)?.ms;

it('workers learn from the runs of one another, at their start and with their own next run', async () => {
  const [first, second] = [open(), open()];
  add(first, 10_000, 10_000, 10_000);
  await first.flush();
  expect(expected(second)).toBeUndefined();
  await second.flush();
  expect(expected(second)).toBeCloseTo(10_000);
  add(second, 40_000, 40_000, 40_000, 40_000);
  await second.flush();
  expect(expected(first)).toBeCloseTo(10_000);
  add(first, 40_000);
  await first.flush();
  expect(expected(first)).toBeCloseTo(40_000);
});

it('keeps a bounded number of runs, and none of brief ones', async () => {
  const history = open();
  for (let round = 0; round < 10; round++) {
    add(history, ...Array.from({ length: 100 }, () => 5000), 10);
    await history.flush();
  }
  const kept = await redis.lrange('t:{runs}:import', 0, -1);
  expect(kept).toEqual(Array.from({ length: 32 }, () => '[5000,0]'));
  expect(await redis.pttl('t:{runs}:import')).toBeGreaterThan(0);
});

it('survives what another tool has done to a list', async () => {
  await redis.set('t:{runs}:import', 'text');
  const history = open();
  add(history, 7000);
  await history.flush();
  expect(expected(history)).toBeUndefined();
  await redis.del('t:{runs}:import');
  await redis.lpush('t:{runs}:import', 'text', '[8000,0]');
  add(history, 8000);
  await history.flush();
  expect(expected(history)).toBeCloseTo(8000);
});

it('a run that completes while Redis is away is kept once Redis is back', async () => {
  await redis.del('t:{runs}:import');
  const history = open();
  add(history, 1000);
  await history.flush();
  await server.kill();
  await until('the connection is lost', () => redis.status !== 'ready');
  add(history, 2000);
  const flushed = history.flush();
  await server.restart();
  await flushed;
  expect(await until('the run is kept', () => redis.lrange('t:{runs}:import', 0, -1))).toEqual([
    '[2000,0]',
    '[1000,0]',
  ]);
});
