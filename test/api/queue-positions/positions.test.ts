import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { QueuePace } from '../../../src/api/queue-positions/pace.js';
import { createPositionReader, type Position, WINDOW } from '../../../src/api/queue-positions/read.js';
import { createUsualPaceReader, usualPaceOf } from '../../../src/api/queue-positions/usual-pace.js';
import { createPositionView } from '../../../src/api/queue-positions/view.js';
import { createProcessPresence } from '../../../src/shared/dashboard/presence.js';
import { defineJob } from '../../../src/shared/jobs/definition.js';
import { planQueues } from '../../../src/shared/jobs/queues.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import type { JobSnapshot } from '../../../src/shared/lifecycle/snapshot.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('t');

describe('the positions of waiting jobs', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    queue = new Queue('work', { connection: redis, prefix: '{t}' });
  });
  beforeEach(async () => {
    await queue.obliterate({ force: true });
  });
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  const idOf = (name: string): string => `work.${name}`;
  const add = (name: string, options = {}) => queue.add('work', {}, { jobId: idOf(name), ...options });
  const read = (...names: string[]) => createPositionReader(redis, keyspace)('work', names.map(idOf));
  const countBefore = async (...names: string[]): Promise<Array<number | undefined>> => {
    const positions = await read(...names);
    return names.map((name) => positions.get(idOf(name))?.before);
  };

  it('are the order in which a worker takes them, with priorities and last-in jobs', async () => {
    for (const name of ['a', 'b']) await add(name);
    await add('low', { priority: 9 });
    await add('high', { priority: 2 });
    await add('lifo', { lifo: true });
    await add('later', { delay: 60_000 });
    await add('c');
    const names = ['a', 'b', 'low', 'high', 'lifo', 'later', 'c'];
    const expected = await read(...names);
    const worker = new Worker('work', undefined, { connection: { url: server.url }, prefix: '{t}' });
    const taken: string[] = [];
    for (let i = 0; i < 6; i++) taken.push((await worker.getNextJob('token'))!.id!);
    await worker.close();
    expect(taken.map((id) => expected.get(id)?.before)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(taken.filter((id) => expected.get(id)?.prioritized)).toEqual(['high', 'low'].map(idOf));
    // Neither delayed nor active jobs have one.
    expect(expected.has(idOf('later'))).toBe(false);
    expect(await countBefore(...names)).toEqual(names.map(() => undefined));
  });

  it('are unknown in a paused queue, with several shards, and of jobs that do not exist', async () => {
    await add('a');
    expect(await countBefore('a', 'none')).toEqual([0, undefined]);
    const sharded = createPositionReader(redis, createKeyspace('t', 2));
    expect(await sharded('work', [idOf('a')])).toEqual(new Map());
    await queue.pause();
    expect(await countBefore('a')).toEqual([undefined]);
    await queue.resume();
    expect(await countBefore('a')).toEqual([0]);
  });

  it('are at least the number of jobs that are looked at for jobs further back, at a bounded cost', async () => {
    const ids = Array.from({ length: 3 * WINDOW }, (_, i) => idOf(`n${i}`));
    await queue.addBulk(ids.map((jobId) => ({ name: 'work', data: {}, opts: { jobId } })));
    await add('last');
    await add('prioritized', { priority: 1 });
    await add('delayed', { delay: 60_000 });
    expect(await countBefore('n0', 'n499', 'n500', 'last', 'prioritized', 'delayed', 'none')).toEqual([
      0,
      WINDOW - 1,
      WINDOW,
      WINDOW,
      WINDOW,
      undefined,
      undefined,
    ]);
    // A job that has run before may be anywhere.
    await redis.hset(`{t}:work:${idOf('last')}`, 'processedOn', '1');
    expect(await countBefore('last')).toEqual([undefined]);
  });

  it('have a usual pace from the workers of the queue and the earlier runs of its only kind', async () => {
    const kind = (name: string) => defineJob({ name, input: z.null(), result: z.null(), run: () => null });
    const plan = planQueues(new Map(['work', 'other'].map((name) => [name, kind(name)])), '');
    const readPace = (queue: string, kindsIn = plan.kindsIn) =>
      createUsualPaceReader(redis, keyspace, { kindsIn })(queue);
    expect(await readPace('work')).toBeUndefined();
    await redis.lpush('t:{runs}:work', '[8000,0]', '[8000,0]', 'text');
    const presence = createProcessPresence(redis, keyspace);
    const worker = (id: string, more = {}) => ({ id, queues: [{ name: 'work', concurrency: 2 }], ...more });
    for (const view of [
      worker('1'),
      worker('2'),
      worker('3', { stopping: true }),
      worker('4', { queues: [] }),
    ]) {
      await presence.beat(view as never);
    }
    expect(await readPace('work')).toEqual({ msPerJob: expect.closeTo(2000), slots: 4 });
    expect(await readPace('none')).toBeUndefined();
    // Which of the kinds wait is unknown.
    expect(await readPace('work', () => [kind('work'), kind('other')])).toBeUndefined();
    // It is known of a queue that nobody watches.
    await add('a');
    const reader = createPositionReader(redis, keyspace);
    const view = createPositionView(reader, createUsualPaceReader(redis, keyspace, plan), new Map());
    const waiting = { id: idOf('a'), state: 'waiting' } as JobSnapshot;
    expect(await view(waiting)).toEqual({ position: 0, beginsInMs: 1600 });
    // Another tool has replaced the list.
    await redis.set('t:{runs}:other', 'text');
    expect(await readPace('other')).toBeUndefined();
  });
});

describe('the pace of a queue', () => {
  const at = (before: number, prioritized = false): Position => ({ before, prioritized });

  it('follows from how fast the watched jobs move up', () => {
    const pace = new QueuePace();
    for (let second = 0; second <= 20; second++) {
      pace.add(new Map([['a', at(100 - 2 * second)]]), 1000 * second);
      if (second < 4) expect(pace.beginsIn(at(9))).toBeUndefined();
    }
    expect(pace.beginsIn(at(9))).toBeCloseTo(5000, -2);
    expect(pace.beginsIn(at(0))).toBeCloseTo(500, -2);
    // Nothing is said of jobs that may be overtaken, or whose position is not exact.
    expect(pace.beginsIn(at(9, true))).toBeUndefined();
    expect(pace.beginsIn(at(WINDOW))).toBeUndefined();
  });

  it('is also known of a queue that takes a job a minute', () => {
    const pace = new QueuePace();
    for (let second = 0; second <= 300; second++) {
      pace.add(new Map([['a', at(50 - Math.floor(second / 60))]]), 1000 * second);
      if (second === 100) expect(pace.beginsIn(at(1))).toBeUndefined();
    }
    expect(pace.beginsIn(at(1))).toBeGreaterThan(90_000);
    expect(pace.beginsIn(at(1))).toBeLessThan(150_000);
  });

  it('begins with how long earlier runs took, as far as workers and a rate limit allow', () => {
    const runs = [10_000, 20_000, 30_000].map((ms) => ({ ms, marks: [] }));
    expect(usualPaceOf(runs, 1)!.msPerJob).toBeCloseTo(19_500, -3);
    expect(usualPaceOf(runs, 4)!.msPerJob).toBeCloseTo(4900, -2);
    expect(usualPaceOf(runs, 4, { max: 1, perMs: 60_000 })).toEqual({ msPerJob: 60_000, slots: 4 });
    expect([usualPaceOf([], 4), usualPaceOf(runs, 0)]).toEqual([undefined, undefined]);

    const usual = { msPerJob: 10_000, slots: 1 };
    const pace = new QueuePace();
    // The running job has half of its time left.
    expect(pace.beginsIn(at(3), usual)).toBe(35_000);
    expect(pace.beginsIn(at(3, true), usual)).toBeUndefined();
    // It counts down until the running job is taken to be late.
    for (let second = 0; second <= 20; second++) {
      pace.add(new Map([['a', at(60)]]), 1000 * second - 60_000);
      if (second === 2) expect(pace.beginsIn(at(0), usual)).toBeCloseTo(3000, -3);
    }
    expect(pace.beginsIn(at(0), usual)).toBeCloseTo(3000, -2);
    // The queue is five times as fast.
    for (let second = 0; second <= 200; second++) {
      pace.add(new Map([['a', at(160 - Math.floor(second / 2))]]), 1000 * second);
    }
    const learned = pace.beginsIn(at(9), usual)!;
    expect(learned).toBeGreaterThan(pace.beginsIn(at(9))!);
    expect(learned).toBeLessThan(40_000);
  });

  it('says nothing of a queue that has stopped, and of jobs that are put in front', () => {
    const pace = new QueuePace();
    for (let second = 0; second <= 10; second++) pace.add(new Map([['a', at(50 - second)]]), 1000 * second);
    expect(pace.beginsIn(at(1))).toBeDefined();
    for (let second = 11; second <= 3000; second++) pace.add(new Map([['a', at(40)]]), 1000 * second);
    expect(pace.beginsIn(at(1))).toBeUndefined();
    const pushed = new QueuePace();
    for (let second = 0; second <= 60; second++) pushed.add(new Map([['a', at(second)]]), 1000 * second);
    expect(pushed.beginsIn(at(1))).toBeUndefined();
  });
});
