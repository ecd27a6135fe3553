import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBatcher } from '../../../src/shared/channel/batch.js';
import { prepareEvent } from '../../../src/shared/channel/publisher.js';
import { isRedisFault } from '../../../src/shared/redis/faults.js';
import { openChannels, Viewer } from '../../support/channel.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

describe('a publisher that groups its calls', () => {
  let redis: TestRedis;
  let channels: ReturnType<typeof openChannels>;
  const publish = (name: string, data: unknown, fence?: { attempt: number; rank?: number; run?: string }) =>
    channels.publisher.publish(name, { event: 'log', data }, fence);
  /** The number of script calls so far. */
  const calls = async (): Promise<number> => {
    const stats = await channels.redis.info('commandstats');
    return [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };

  beforeAll(async () => {
    redis = await startRedis();
    channels = openChannels(redis.url, { batch: createBatcher(1) });
  });
  beforeEach(() => channels.redis.flushall());
  afterAll(async () => {
    channels.close();
    await redis.stop();
  });

  it('publishes to many channels in one call, and to one channel in the order of the calls', async () => {
    const viewer = new Viewer();
    viewer.subscription = channels.hub.subscribe('c0', viewer);
    await publish('c0', 'first');
    await until('live', () => viewer.offsets.length === 1);
    const before = await calls();
    const ids = await Promise.all([
      ...Array.from({ length: 40 }, (_, i) => publish(`c${i}`, i)),
      publish('c0', 'last'),
    ]);
    expect((await calls()) - before).toBe(1);
    expect(ids.map((id) => id?.split('-')[1])).toEqual(['2', ...Array(39).fill('1'), '3']);
    await until('live', () => viewer.offsets.length === 3);
    expect(viewer.data()).toEqual(['first', 0, 'last']);
    viewer.subscription.close();
  });

  it('sends at most 48 events or 64 KiB per call, and more of one channel alone', async () => {
    const before = await calls();
    const events = (count: number, size: number) =>
      Array.from({ length: count }, () => prepareEvent({ event: 'log', data: 'x'.repeat(size) }));
    await Promise.all([
      ...Array.from({ length: 130 }, (_, i) => publish(`c${i}`, i)),
      channels.publisher.publishInRow('many', events(100, 1), {}),
      ...Array.from({ length: 3 }, (_, i) => channels.publisher.publishInRow(`l${i}`, events(1, 30_000), {})),
    ]);
    expect((await calls()) - before).toBe(3 + 1 + 2);
  });

  it('answers each channel for itself when others are refused or fail', async () => {
    await publish('over', 1, { attempt: 2, rank: 0 });
    await channels.redis.set('test:{broken}', 'not a hash');
    const before = await calls();
    const numbering = { source: 's', first: 2 };
    const results = await Promise.allSettled([
      publish('good', 1),
      publish('over', 2, { attempt: 1 }),
      publish('broken', 1),
      channels.publisher.publishInRow('gap', [prepareEvent({ data: 1 })], { numbering }),
      publish('other', 1, { attempt: 1, rank: 0, run: 'another' }),
      publish('good', 2),
    ]);
    expect((await calls()) - before).toBe(1);
    const id = (offset: number) => expect.stringMatching(new RegExp(`-${offset}$`));
    expect(results).toEqual([
      { status: 'fulfilled', value: id(1) },
      { status: 'fulfilled', value: undefined },
      {
        status: 'rejected',
        reason: expect.objectContaining({ name: 'ReplyError', message: expect.stringMatching(/WRONGTYPE/) }),
      },
      { status: 'fulfilled', value: { state: 'missing', last: 0 } },
      { status: 'rejected', reason: expect.objectContaining({ name: 'ServerReplacedError' }) },
      { status: 'fulfilled', value: id(2) },
    ]);
  });

  it('rejects every event with an error that is repeated if Redis refuses writes', async () => {
    await publish('a', 1);
    await channels.redis.replicaof('127.0.0.1', 1);
    try {
      for (const result of await Promise.allSettled([publish('a', 2), publish('b', 1)])) {
        expect(result.status === 'rejected' && isRedisFault(result.reason)).toBe(true);
      }
    } finally {
      await channels.redis.replicaof('NO', 'ONE');
    }
  });
});
