import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { type Canceller, createCanceller } from '../../../src/shared/lifecycle/cancel.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const BULLMQ = '{t}';
const WAIT = `${BULLMQ}:q:wait`;
/** Enough jobs that the one in the middle is far from both ends. */
const LONG = 110_000;

/** Writes waiting jobs directly into Redis, in BullMQ's form, created a millisecond apart. */
const FILL = `
  for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
    local id = 'q.j' .. string.format('%07d', i)
    redis.call('HSET', KEYS[1] .. ':' .. id, 'name', 'n', 'data', '{}', 'opts', '{"attempts":1}', 'timestamp', 1e12 + math.floor(i / tonumber(ARGV[3])))
    redis.call('LPUSH', KEYS[1] .. ':wait', id)
  end`;

describe('cancelling a waiting job', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  let canceller: Canceller;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    queue = new Queue('q', { connection: redis, prefix: BULLMQ });
    canceller = createCanceller({
      redis,
      openQueue: () => queue,
      keyspace: createKeyspace('t'),
      // Other tests cover what is published.
      reconciler: { reconcile: async () => ({ job: undefined }) } as never,
    });
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  const idOf = (i: number): string => `q.j${String(i).padStart(7, '0')}`;
  async function fill(count: number, perMs = 1): Promise<void> {
    for (let i = 0; i < count; i += 10_000) {
      await redis.eval(FILL, 1, `${BULLMQ}:q`, i, Math.min(count, i + 10_000) - 1, perMs);
    }
  }
  const waiting = (): Promise<string[]> => redis.lrange(WAIT, 0, -1);

  it.each([
    ['each created at a different time', 1],
    ['a thousand created at the same time', 1000],
  ])(
    'takes it out of a long list, wherever it is, and leaves the others in order: %s',
    async (_how, perMs) => {
      await fill(12_000, perMs);
      const before = await waiting();
      const cancelled = [0, 5, 999, 1000, 1001, 3000, 5999, 6000, 7777, 10_999, 11_000, 11_001, 11_999].map(
        idOf,
      );
      for (const id of cancelled) await canceller.cancel(id);
      expect(await waiting()).toEqual(before.filter((id) => !cancelled.includes(id)));
      expect((await redis.zrange(`${BULLMQ}:q:failed`, 0, '-1')).sort()).toEqual([...cancelled].sort());
      expect(await redis.llen(`${BULLMQ}:q:active`)).toBe(0);
      expect(await queue.getJobCounts('waiting', 'active', 'failed')).toEqual({
        waiting: 12_000 - cancelled.length,
        active: 0,
        failed: cancelled.length,
      });
    },
  );

  it('finds a job that is not at the position of its creation time: delayed, retried, or without a time', async () => {
    await fill(6000);
    await redis.hset(`${BULLMQ}:q:${idOf(3000)}`, 'timestamp', 1);
    await redis.hset(`${BULLMQ}:q:${idOf(3100)}`, 'timestamp', 2e12);
    await redis.hdel(`${BULLMQ}:q:${idOf(2900)}`, 'timestamp');
    // A neighbouring job, which the search uses, is missing.
    await redis.del(`${BULLMQ}:q:${idOf(2999)}`);
    const before = await waiting();
    const cancelled = [3000, 3100, 2900, 2998].map(idOf);
    for (const id of cancelled) await canceller.cancel(id);
    expect(await waiting()).toEqual(before.filter((id) => !cancelled.includes(id)));
  });

  it('does not scan tens of thousands: the newest job takes the position and all others keep theirs', async () => {
    await fill(LONG);
    const before = await waiting();
    const id = idOf(LONG / 2);
    await redis.config('RESETSTAT');
    await canceller.cancel(id);
    const stats = await redis.info('commandstats');
    // BullMQ calls LREM once, on the active list.
    expect(Number(/cmdstat_lrem:calls=(\d+)/.exec(stats)?.[1])).toBe(1);
    const [newest, ...others] = before;
    others[others.indexOf(id)] = newest!;
    expect(await waiting()).toEqual(others);
    expect(await redis.zrange(`${BULLMQ}:q:failed`, 0, '-1')).toEqual([id]);
  });

  it('finds a job that was queued long after its creation with several short searches, not in one script', async () => {
    await fill(LONG);
    // Two jobs have the wrong creation time, as after a retry or promotion. The third is in no list.
    const [middle, late, gone] = [idOf(LONG / 2), idOf(LONG - 5000), 'q.gone'];
    for (const id of [middle, late]) await redis.hset(`${BULLMQ}:q:${id}`, 'timestamp', 1);
    await redis.hset(`${BULLMQ}:q:${gone}`, { name: 'n', data: '{}', opts: '{}', timestamp: 1 });
    const before = await waiting();
    await redis.config('RESETSTAT');
    await Promise.all([middle, late, gone].map(canceller.cancel));
    const stats = await redis.info('commandstats');
    // One LREM near the second job, and two of BullMQ on the active list.
    expect(Number(/cmdstat_lrem:calls=(\d+)/.exec(stats)?.[1])).toBe(3);
    const [newest, ...others] = before.filter((id) => id !== late);
    others[others.indexOf(middle)] = newest!;
    expect(await waiting()).toEqual(others);
    expect((await redis.zrange(`${BULLMQ}:q:failed`, 0, '-1')).sort()).toEqual([middle, late].sort());
  });

  it('searches neither the active list for a job that never started nor the wait list for a delayed one', async () => {
    await fill(3000);
    await queue.add('n', {}, { jobId: 'q.later', delay: 1e6 });
    await queue.add('n', {}, { jobId: 'q.first', priority: 1 });
    await redis.config('RESETSTAT');
    for (const id of ['q.later', 'q.first']) await canceller.cancel(id);
    expect(await redis.info('commandstats')).not.toContain('cmdstat_lpos');
    expect(await redis.zcard(`${BULLMQ}:q:failed`)).toBe(2);
    expect(await redis.llen(WAIT)).toBe(3000);
  });
});
