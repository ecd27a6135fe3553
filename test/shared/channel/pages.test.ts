import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Feed } from '../../../src/shared/channel/feed.js';
import { PageBudget } from '../../../src/shared/channel/page.js';
import { createReader, createTail } from '../../../src/shared/channel/reader.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { openChannels, plainRedis, Viewer } from '../../support/channel.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const KIB = 1024;
/** Maximum size of the log events in a page, unless it has a single larger one. */
const PAGE_BYTES = 256 * KIB;

describe('a page of a channel', () => {
  let redis: TestRedis;
  let channels: ReturnType<typeof openChannels>;
  let counter = 0;
  const newChannel = (): string => `p${++counter}`;
  const looker = () => plainRedis(redis.url);
  beforeAll(async () => {
    redis = await startRedis();
    channels = openChannels(redis.url);
  });
  afterEach(async () => {
    await channels.redis.flushall();
  });
  afterAll(async () => {
    channels.close();
    await redis.stop();
  });

  const watch = (name: string, viewer: Viewer, lastEventId?: string): Viewer => {
    viewer.subscription = channels.hub.subscribe(name, viewer, { lastEventId });
    return viewer;
  };
  /** Returns the number of bytes that Redis has sent so far. */
  async function sent(): Promise<number> {
    const client = looker();
    const info = await client.info('stats');
    client.disconnect();
    return Number(/^total_net_output_bytes:(\d+)/m.exec(info)![1]);
  }
  /** Reads a channel to its end. Returns the offsets of all events, and the size of each page in bytes. */
  async function readAll(name: string): Promise<{ offsets: number[]; sizes: number[] }> {
    const read = createReader(channels.redis, createKeyspace('test'));
    const offsets: number[] = [];
    const sizes: number[] = [];
    let since = { epoch: '', offset: 0 };
    for (;;) {
      const page = (await read(name, since))!;
      offsets.push(...page.frames.map(({ offset }) => offset));
      sizes.push(page.frames.reduce((sum, { frame }) => sum + frame.length, 0));
      since = page;
      if (!page.more) return { offsets, sizes };
    }
  }
  async function publish(name: string, count: number, bytes: number, more: object = {}): Promise<void> {
    const data = 'x'.repeat(bytes);
    for (let n = 0; n < count; n += 50) {
      await Promise.all(
        Array.from({ length: Math.min(50, count - n) }, (_, i) =>
          channels.publisher.publish(name, { event: 'e', data, key: `k${n + i}`, ...more }),
        ),
      );
    }
  }

  it('is bounded in bytes, whatever the size of the events, and always makes progress', async () => {
    const name = newChannel();
    // Small events first: they do not predict the size of the next ones.
    for (const bytes of [10, 10, 10, 10, 10, 10, 900 * KIB, 10, 900 * KIB, 900 * KIB, 200 * KIB, 200 * KIB]) {
      await publish(name, 1, bytes);
    }
    const { offsets, sizes } = await readAll(name);
    // The three events that are larger than a page come alone.
    expect(sizes.filter((bytes) => bytes > PAGE_BYTES)).toHaveLength(3);
    expect(offsets).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
  });

  it.each([
    ['many', 9000, 300],
    ['large', 40, 100 * KIB],
  ])('contains log events and %s states in order', async (_what, count, bytes) => {
    const name = newChannel();
    const log: number[] = [];
    for (let part = 0; part < 4; part++) {
      await publish(name, count / 4, bytes, {
        kind: 'state',
        data: 'x'.repeat(bytes),
        event: `part${part}`,
      });
      for (let n = 0; n < 3; n++) {
        const id = (await channels.publisher.publish(name, { event: 'log', data: n }))!;
        log.push(Number(id.split('-')[1]));
      }
    }
    // All parts use the same keys, so only the newest part is left: the older states were conflated.
    const client = looker();
    const keys = await client.hkeys(`test:{${name}}:slots`);
    const frames = await Promise.all(keys.map((key) => client.hget(`test:{${name}}:slots`, key)));
    const states = frames.map((frame) => Number(/^id: \w+-(\d+)/.exec(frame!)![1]));
    client.disconnect();
    const expected = [...log, ...states].sort((a, b) => a - b);
    const { offsets, sizes } = await readAll(name);
    expect(offsets).toEqual(expected);
    // Log events and states have separate bounds.
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * PAGE_BYTES);
    expect(sizes.length).toBeGreaterThan(2);
    const viewer = watch(name, new Viewer());
    await until('it has all', () => viewer.offsets.length >= expected.length);
    expect(viewer.offsets).toEqual(expected);
    viewer.subscription.close();
  });

  /** Returns the number of slots that Redis has read so far, including those read by scripts. */
  async function slotsRead(): Promise<number> {
    const info = await channels.redis.info('commandstats');
    const calls = (name: string): number =>
      Number(new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    // HSCAN reads one or more slots.
    return calls('hget') + calls('hscan');
  }

  it.each([
    ['large', 200, 40 * KIB, 0],
    ['large (after small ones)', 200, 40 * KIB, 20],
    ['many', 3000, 300, 0],
  ])('costs about one read per state if the states are %s', async (_what, count, bytes, small) => {
    const name = newChannel();
    const state = { kind: 'state', event: 's' };
    for (let n = 0; n < small; n++) {
      await channels.publisher.publish(name, { kind: 'state', event: 's', key: `small${n}`, data: n });
    }
    await publish(name, count, bytes, state);
    // Half of the slots are newer than the rest: each comes last, and only once.
    await publish(name, count / 2, bytes, state);
    const before = await slotsRead();
    const { offsets, sizes } = await readAll(name);
    const cost = (await slotsRead()) - before;
    const [all, changed] = [small + count, count / 2];
    const expected = Array.from({ length: all + changed }, (_, i) => i + 1);
    expected.splice(small, changed);
    expect(offsets).toEqual(expected);
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(PAGE_BYTES);
    expect(cost).toBeLessThan(1.2 * all);
  });

  it('is complete even if publishers of an earlier release, which does not maintain the order of slots, write in between', async () => {
    const name = newChannel();
    const [meta, order] = [`test:{${name}}`, `test:{${name}}:order`];
    const latest = new Map<string, number>();
    const put = async (key: string): Promise<void> => {
      const id = (await channels.publisher.publish(name, {
        kind: 'state',
        event: 's',
        key,
        data: 'x'.repeat(20 * KIB),
      }))!;
      latest.set(key, Number(id.split('-')[1]));
    };
    /** Publishes as the earlier release does, without maintaining the order. */
    const putAsBefore = async (key: string): Promise<void> => {
      const offset = await channels.redis.hincrby(meta, 'offset', 1);
      const epoch = await channels.redis.hget(meta, 'epoch');
      await channels.redis.hset(`${meta}:slots`, key, `id: ${epoch}-${offset}\nevent: s\ndata: before\n\n`);
      latest.set(key, offset);
    };
    const isWhole = async (): Promise<void> =>
      expect((await readAll(name)).offsets).toEqual([...latest.values()].sort((a, b) => a - b));
    for (let n = 0; n < 30; n++) await put(`k${n}`);
    await isWhole();
    await putAsBefore('k3');
    await putAsBefore('new');
    await isWhole();
    await put('k5');
    await isWhole();
    expect(await channels.redis.zcard(order)).toBeLessThan(30);
    // When every slot has changed, the order is complete again.
    for (const key of [...latest.keys()]) await put(key);
    await isWhole();
    expect(await channels.redis.zcard(order)).toBe(31);
    expect(await channels.redis.pttl(order)).toBeGreaterThan(0);
  });

  it('is written frame by frame to a viewer whose socket fills each time, and is read once', async () => {
    const name = newChannel();
    const [count, bytes] = [100, 20 * KIB];
    await publish(name, count, bytes);
    const before = await sent();
    const viewer = watch(name, new Viewer(() => false));
    await until('it has all', () => {
      viewer.subscription.resume();
      return viewer.offsets.length >= count;
    });
    expect(viewer.offsets).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect((await sent()) - before).toBeLessThan(1.3 * count * bytes);
    viewer.subscription.close();
  });

  it.each([
    ['kept if there is room', undefined, 5],
    ['read again if there is no room', 0, 40],
  ])('is %s for a viewer with a full socket', async (_what, room, reads) => {
    const name = newChannel();
    const [count, bytes] = [40, 20 * KIB];
    await publish(name, count, bytes);
    let asked = 0;
    const read = createReader(channels.redis, createKeyspace('test'));
    const counted: typeof read = (channel, since) => {
      asked++;
      return read(channel, since);
    };
    const feed = new Feed(name, counted, new PageBudget(room), () => {});
    feed.online();
    const viewer = new Viewer(() => false);
    const subscription = feed.join(viewer, { epoch: '', offset: 0 });
    await until('it has all', () => {
      subscription.resume();
      return viewer.offsets.length >= count;
    });
    expect(viewer.offsets).toEqual(Array.from({ length: count }, (_, n) => n + 1));
    if (room === 0) expect(asked).toBeGreaterThanOrEqual(reads);
    else expect(asked).toBeLessThan(reads);
    subscription.close();
  });

  it('starts at an event number counted from the end, without reading the events in between', async () => {
    const name = newChannel();
    const offsets: number[] = [];
    for (let n = 0; n < 300; n++) {
      if (n % 3 === 0) await channels.publisher.publish(name, { event: 's', data: n, kind: 'state' });
      const id = (await channels.publisher.publish(name, { event: 'e', data: 'x'.repeat(50 * KIB) }))!;
      offsets.push(Number(id.split('-')[1]));
    }
    const tail = createTail(channels.redis, createKeyspace('test'));
    const before = await sent();
    for (const last of [1, 2, 50, 299, 300]) expect(await tail(name, { last })).toBe(offsets.at(-last)! - 1);
    expect(await tail(name, { last: 0 })).toBe(offsets.at(-1));
    expect(await tail(name, { last: 10_000 })).toBe(offsets[0]! - 1);
    expect(await tail('nobody', { last: 10 })).toBe(0);
    expect((await sent()) - before).toBeLessThan(20 * KIB);
  });
});
