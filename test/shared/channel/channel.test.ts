import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createBatcher } from '../../../src/shared/channel/batch.js';
import { prepareEvent } from '../../../src/shared/channel/publisher.js';
import type { Sink } from '../../../src/shared/channel/subscription.js';
import { conflatedEvents, streamBytes } from '../../../src/shared/metrics/stream-metrics.js';
import { nodeOf } from '../../../src/shared/redis/client.js';
import { callServerOf, openChannels, Viewer } from '../../support/channel.js';
import { randomOfTest } from '../../support/random-of-test.js';
import { ON_CLUSTER, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const backings = [
  { name: 'a Redis with sharded Pub/Sub', sharded: true, args: [] as string[] },
  { name: 'a Redis without sharded Pub/Sub', sharded: false, args: ['--rename-command', 'SPUBLISH', ''] },
  { name: 'a Redis that gets the events in groups', sharded: true, args: [], batch: createBatcher(1) },
];

// A Cluster has sharded Pub/Sub.
describe.each(backings.filter((backing) => backing.sharded || !ON_CLUSTER))(
  'a channel on $name',
  ({ sharded, args, batch }) => {
    let redis: TestRedis;
    let channels: ReturnType<typeof openChannels>;
    let counter = 0;
    const opened: Array<ReturnType<typeof openChannels>> = [];
    const newChannel = (): string => `c${++counter}`;
    const open = (options: Parameters<typeof openChannels>[1] = {}): ReturnType<typeof openChannels> => {
      const channels = openChannels(redis.url, { sharded, batch, ...options });
      opened.push(channels);
      return channels;
    };
    const watch = (name: string, viewer = new Viewer(), lastEventId?: string, on = channels): Viewer => {
      viewer.subscription = on.hub.subscribe(name, viewer, { lastEventId });
      return viewer;
    };
    const listeners = async (name: string): Promise<number> => {
      const counts = await callServerOf(redis.url, name, (client) =>
        client.call('PUBSUB', sharded ? 'SHARDNUMSUB' : 'NUMSUB', `test:{${name}}`),
      );
      return Number((counts as unknown[])[1]);
    };

    beforeAll(async () => {
      redis = await startRedis({ args });
      channels = openChannels(redis.url, { sharded, batch });
    });
    afterEach(() => {
      for (const one of opened.splice(0)) one.close();
    });
    afterAll(async () => {
      channels.close();
      await redis.stop();
    });

    it('delivers each log event once and in order to every subscription, whenever it starts', async () => {
      const name = newChannel();
      const total = 1000;
      // Each frame as its first viewer got it. If each viewer kept a list, most of the CPU would go to garbage collection.
      const frames: Buffer[] = [];
      class Comparing implements Sink {
        seen = 0;
        differs = false;
        readonly subscription = channels.hub.subscribe(name, this);
        write(frame: Buffer): boolean {
          frames[this.seen] ??= frame;
          const expected = frames[this.seen++]!;
          if (frame !== expected && !frame.equals(expected)) this.differs = true;
          return true;
        }
        end(): void {}
      }
      const viewers: Comparing[] = [];
      const random = randomOfTest();
      let published = 0;
      const watchAfterTurns = (turns: number): void => {
        if (turns === 0) viewers.push(new Comparing());
        else setImmediate(watchAfterTurns, turns - 1);
      };
      const publishing = (async () => {
        while (published < total) {
          await Promise.all(
            Array.from({ length: 20 }, () =>
              channels.publisher.publish(name, { event: 'log', data: ++published }),
            ),
          );
          // Hundreds of viewers subscribe at random moments.
          for (let i = random.between(10, 19); i > 0; i--) watchAfterTurns(random.between(0, 4));
        }
      })();
      await publishing;
      await until('all viewers have all events', () => viewers.every(({ seen }) => seen >= total));
      expect(viewers.length).toBeGreaterThan(600);
      const log = await channels.redis.xrangeBuffer(`test:{${name}}:log`, '-', '+');
      expect(log).toHaveLength(total);
      const inLog = Buffer.concat(log.map(([, fields]) => fields[1]!));
      expect(Buffer.concat(frames).equals(inLog)).toBe(true);
      expect(viewers.filter(({ seen, differs }) => seen !== total || differs)).toEqual([]);
      for (const viewer of viewers) viewer.subscription.close();
    });

    it('delivers all log events and the newest state to late, slow and returning viewers, in order of offset', async () => {
      const name = newChannel();
      const viewers: Viewer[] = [];
      const random = randomOfTest();
      let events = 0;
      const add = (lastEventId?: string, seen: Viewer = new Viewer(() => random.chance(0.9))): Viewer => {
        watch(name, seen, lastEventId);
        return seen;
      };
      while (events < 900) {
        const [first, second, third] = [++events, ++events, ++events];
        await Promise.all([
          ...[first, second].map((n) =>
            channels.publisher.publish(name, { event: 'progress', kind: 'state', data: { n } }),
          ),
          channels.publisher.publish(name, { event: 'log', data: { n: third } }),
        ]);
        if (events % 36 === 0) viewers.push(add());
        for (const viewer of viewers) {
          if (random.chance(0.06)) viewer.subscription.resume();
          if (random.chance(0.009)) {
            viewer.subscription.close();
            add(viewer.lastId, viewer);
          }
        }
      }
      await channels.publisher.publish(name, { event: 'log', data: { n: 'last' } });
      await until('all viewers are at the end', () => {
        for (const viewer of viewers) viewer.subscription.resume();
        return viewers.every(({ offsets }) => offsets.at(-1) === 901);
      });
      for (const { offsets, frames } of viewers) {
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expect(frames.filter((frame) => frame.includes('event: log'))).toHaveLength(301);
        expect(offsets).toContain(899);
        expect(frames.some((frame) => frame.includes('event: reset'))).toBe(false);
      }
    });

    it('P6: conflates states for a stalled viewer and buffers nothing for it', async () => {
      const name = newChannel();
      const counted = (): number[] => [conflatedEvents.only, streamBytes.only].map(({ value }) => value);
      const before = counted();
      const viewer = watch(name, new Viewer(() => false));
      await channels.publisher.publish(name, { event: 'progress', kind: 'state', data: 1 });
      await until('the first event has arrived', () => viewer.frames.length === 1);
      for (let i = 2; i <= 500; i++)
        await channels.publisher.publish(name, { event: 'progress', kind: 'state', data: i });
      await channels.publisher.publish(name, { event: 'log', data: 'x' });
      expect(viewer.frames).toHaveLength(1);
      viewer.subscription.resume();
      await until('the newest state has arrived', () => viewer.offsets.includes(500));
      viewer.subscription.resume();
      await until('the log event has arrived', () => viewer.offsets.includes(501));
      expect(viewer.offsets).toEqual([1, 500, 501]);
      const bytes = viewer.frames.join('').length;
      expect(counted().map((value, i) => value - before[i]!)).toEqual([498, bytes]);
    });

    it('is subscribed to once for all viewers, and unsubscribed when the last one leaves', async () => {
      const name = newChannel();
      const viewers = [watch(name), watch(name), watch(name)];
      await until('subscribed', async () => (await listeners(name)) === 1);
      viewers[0]!.subscription.close();
      viewers[1]!.subscription.close();
      await channels.publisher.publish(name, { data: 1 });
      await until('the third viewer still receives events', () => viewers[2]!.frames.length === 1);
      expect(await listeners(name)).toBe(1);
      viewers[2]!.subscription.close();
      await until('unsubscribed', async () => (await listeners(name)) === 0);
    });

    it('has no race between the last viewer leaving and the next one joining', async () => {
      const name = newChannel();
      let viewer = watch(name);
      for (let round = 1; round <= 150; round++) {
        const before = viewer.lastId;
        viewer.subscription.close();
        viewer = watch(name, new Viewer(), before);
        if (round % 3 === 0) await new Promise(setImmediate);
        await channels.publisher.publish(name, { data: round });
        await until(`event ${round}`, () => viewer.offsets.at(-1) === round);
      }
      expect(await listeners(name)).toBe(1);
    });

    it('shares one read among all viewers that join at the same position', async () => {
      const name = newChannel();
      await channels.publisher.publish(name, { data: 1 });
      channels.reads.length = 0;
      const viewers = Array.from({ length: 1000 }, () => watch(name));
      await until('all have it', () => viewers.every(({ offsets }) => offsets.length === 1));
      expect(channels.reads.filter((read) => read === name).length).toBeLessThanOrEqual(2);
    });

    it('shares reads among viewers that return to different positions, at once or one after another', async () => {
      const name = newChannel();
      const ids: string[] = [];
      for (let i = 1; i <= 100; i++) ids.push((await channels.publisher.publish(name, { data: i }))!);
      const own = open();
      const viewers: Array<{ viewer: Viewer; seen: number }> = [];
      for (let turn = 0; turn < 10; turn++) {
        for (let i = 0; i < 100; i++) {
          const seen = ((turn * 37 + i * 13) % 100) + 1;
          viewers.push({ viewer: watch(name, new Viewer(), ids[seen - 1], own), seen });
        }
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await until('all have all', () =>
        viewers.every(({ viewer, seen }) => viewer.offsets.length === 100 - seen),
      );
      for (const { viewer, seen } of viewers) {
        expect(viewer.offsets).toEqual(Array.from({ length: 100 - seen }, (_, i) => seen + 1 + i));
      }
      // On a busy machine, a page is too old for the viewers of the next turn.
      expect(own.reads.length).toBeLessThanOrEqual(100);
      await channels.publisher.publish(name, { data: 'live' });
      await until('all are live', () => viewers.every(({ viewer }) => viewer.offsets.at(-1) === 101));
    });

    it('reads alone for a viewer whose events are not in the page of an earlier position', async () => {
      const own = open();
      const name = newChannel();
      const ids: string[] = [];
      for (let i = 1; i <= 600; i++) ids.push((await channels.publisher.publish(name, { data: i }))!);
      const subscribed = watch(name, new Viewer(), ids[599], own);
      await until('subscribed', async () => (await listeners(name)) === 1);
      const first = watch(name, new Viewer(), ids[0], own);
      const others = [300, 500, 590].map((seen) => watch(name, new Viewer(), ids[seen - 1], own));
      const foreign = watch(name, new Viewer(), 'unknown-1', own);
      await until('all have all', () => [first, ...others].every(({ offsets }) => offsets.at(-1) === 600));
      expect(first.offsets).toEqual(Array.from({ length: 599 }, (_, i) => i + 2));
      expect(others.map(({ offsets }) => offsets.length)).toEqual([300, 100, 10]);
      await until('it has all', () => foreign.offsets.at(-1) === 600);
      expect(foreign.offsets).toHaveLength(600);
      expect(subscribed.offsets).toEqual([]);
    });

    it('knows that a channel with an up-to-date viewer has not ended, until something is published', async () => {
      const name = newChannel();
      await channels.publisher.publish(name, { data: 1 });
      expect(channels.hub.isKnownOpen(name)).toBe(false);
      const viewer = watch(name);
      await until('it is known', () => channels.hub.isKnownOpen(name));
      await channels.publisher.publish(name, { data: 2 });
      await until('live', () => viewer.offsets.length === 2);
      expect(channels.hub.isKnownOpen(name)).toBe(false);
      await channels.publisher.publish(name, { data: 3, end: true });
      const late = watch(name);
      await until('ended', () => late.ended);
      expect(channels.hub.isKnownOpen(name)).toBe(false);
    });

    it('ends for a viewer that has seen its end elsewhere', async () => {
      const name = newChannel();
      await channels.publisher.publish(name, { data: 1 });
      const last = await channels.publisher.publish(name, { data: 2, end: true });
      const viewer = watch(name, new Viewer(), last);
      await until('ended', () => viewer.ended);
      expect(viewer.offsets).toEqual([]);
      const staying = new Viewer();
      staying.subscription = channels.hub.subscribe(name, staying, { lastEventId: last, stays: true });
      await channels.publisher.publish(name, { data: 3 });
      await until('more', () => staying.offsets.length > 0);
      expect(staying.ended).toBe(false);
      staying.subscription.close();
    });

    it('loses and repeats nothing when its connections break', async () => {
      const own = open();
      const name = newChannel();
      const viewers = Array.from({ length: 20 }, () => watch(name, new Viewer(), undefined, own));
      await callServerOf(redis.url, name, async (client) => {
        for (let i = 1; i <= 300; i++) {
          await channels.publisher.publish(name, { event: 'log', data: i });
          if (i % 60 === 0) await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
        }
      });
      await until('all viewers have all events', () => viewers.every(({ offsets }) => offsets.length >= 300));
      for (const { offsets } of viewers)
        expect(offsets).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    });

    it('P5: sends `reset` and the current state to a returning viewer if the log no longer reaches back to its position', async () => {
      const own = open({ logLength: 100 });
      const name = newChannel();
      const first = (await own.publisher.publish(name, { event: 'log', data: 0 }))!;
      for (let i = 1; i <= 500; i++) await own.publisher.publish(name, { event: 'log', data: i });
      await own.publisher.publish(name, { event: 'progress', kind: 'state', data: 'now' });
      const back = watch(name, new Viewer(), first, own);
      await until('the state is there', () => back.events().includes('progress'));
      expect(back.events()[0]).toBe('reset');
      expect(back.data()[0]).toMatchObject({ reason: 'trimmed' });
      expect(back.offsets.at(-1)).toBe(502);
      // For a new viewer, a trimmed log is simply the current state.
      const fresh = watch(name, new Viewer(), undefined, own);
      await until('the state is there', () => fresh.events().includes('progress'));
      expect(fresh.events()).not.toContain('reset');
    });

    it('P5: sends `reset` to a viewer with an id from an earlier channel of the same name', async () => {
      const name = newChannel();
      const old = (await channels.publisher.publish(name, { data: 'before' }))!;
      const watching = watch(name);
      await until('seen', () => watching.offsets.length === 1);
      await channels.redis.del(`test:{${name}}`, `test:{${name}}:log`, `test:{${name}}:slots`);
      const gone = watch(name, new Viewer(), old);
      await until('reset', () => gone.events().length === 1);
      expect(gone.data()[0]).toMatchObject({ reason: 'expired' });
      await channels.publisher.publish(name, { data: 'after' });
      const back = watch(name, new Viewer(), old);
      await until(
        'reset, and live',
        () => back.frames.length === 2 && gone.frames.length === 2 && watching.frames.length === 3,
      );
      expect(back.data()).toMatchObject([{ reason: 'epoch' }, 'after']);
      expect(gone.data()[1]).toBe('after');
      expect(watching.data()).toMatchObject(['before', { reason: 'epoch' }, 'after']);
    });

    /** Copies the keys of a channel. The returned function restores them, as a Redis that starts from an older file does. */
    async function keepOlderCopy(name: string): Promise<() => Promise<void>> {
      const keys = ['', ':log', ':slots'].map((suffix) => `test:{${name}}${suffix}`);
      const saved = await Promise.all(keys.map((key) => channels.redis.dumpBuffer(key)));
      return async () => {
        for (const [i, key] of keys.entries()) {
          if (saved[i]) await channels.redis.restore(key, 0, saved[i], 'REPLACE');
        }
        // After a restart, the server has another run id.
        await channels.redis.hset(keys[0]!, 'run', 'before');
      };
    }

    it.each([0, 1, 2, 3, 40])(
      'sends `reset` to a viewer if Redis lost its last writes and %i events followed before the viewer reads again',
      async (since) => {
        const name = newChannel();
        const publish = async (from: number, to: number): Promise<void> => {
          for (let i = from; i <= to; i++) await channels.publisher.publish(name, { event: 'log', data: i });
        };
        await publish(1, 3);
        const restore = await keepOlderCopy(name);
        await publish(4, 5);
        const viewer = watch(name);
        await until('seen', () => viewer.offsets.length === 5);
        viewer.subscription.close();
        await restore();
        await publish(101, 100 + since);
        const back = watch(name, new Viewer(), viewer.lastId);
        await until('all read', () => back.frames.length === 4 + since);
        const [reset, ...events] = back.data();
        expect(reset).toMatchObject({ reason: 'rewound' });
        expect(events).toEqual([1, 2, 3, ...Array.from({ length: since }, (_, i) => 101 + i)]);
        await publish(200, 200);
        await until('live', () => back.data().at(-1) === 200);
      },
    );

    it('continues without a reset for a viewer that has only seen events that survived a restart of Redis', async () => {
      const name = newChannel();
      const viewer = watch(name);
      for (let i = 1; i <= 3; i++) await channels.publisher.publish(name, { event: 'log', data: i });
      await until('seen', () => viewer.offsets.length === 3);
      for (let run = 0; run < 20; run++) {
        await channels.redis.hset(`test:{${name}}`, 'run', `run${run}`);
        await channels.publisher.publish(name, { event: 'log', data: 10 + run });
      }
      await until('live', () => viewer.offsets.length === 23);
      expect(viewer.data()).toEqual([1, 2, 3, ...Array.from({ length: 20 }, (_, run) => 10 + run)]);
      const [fifth] = viewer.frames.slice(7);
      const back = watch(name, new Viewer(), /^id: (\S+)/.exec(fifth!)![1]);
      await until('the rest', () => back.offsets.length === 15);
      expect(back.data()).toEqual(viewer.data().slice(8));
    });

    it('is not changed by a reader, even with a forged id', async () => {
      const name = newChannel();
      const viewer = watch(name);
      for (let i = 1; i <= 3; i++) await channels.publisher.publish(name, { event: 'log', data: i });
      await until('seen', () => viewer.offsets.length === 3);
      const before = await channels.redis.hgetall(`test:{${name}}`);
      const [epoch] = viewer.lastId!.split('-');
      for (const forged of [
        `${epoch}-999999999`,
        `${epoch}-4`,
        'unknown-1',
        `${epoch}x-2`,
        `${epoch}-999999999999999`,
      ]) {
        const forger = watch(name, new Viewer(), forged);
        await until('all read', () => forger.frames.length === 4);
        expect(forger.events()[0]).toBe('reset');
        expect(forger.data().slice(1)).toEqual([1, 2, 3]);
      }
      expect(await channels.redis.hgetall(`test:{${name}}`)).toEqual(before);
      await channels.publisher.publish(name, { event: 'log', data: 4 });
      await until('live', () => viewer.data().at(-1) === 4);
      expect(viewer.data()).toEqual([1, 2, 3, 4]);
    });

    it('publishes each event of a numbered source once and in order, and reports missing ones', async () => {
      const name = newChannel();
      const viewer = watch(name);
      const { publisher } = channels;
      const events = (...data: number[]) => data.map((n) => prepareEvent({ event: 'log', data: n }));
      const send = (source: string, first: number, data: number[], skip = false) =>
        publisher.publishInRow(name, events(...data), { numbering: { source, first, skip } });
      const taken = { state: 'taken', id: expect.stringMatching(/^[a-z0-9]+-\d+$/) };
      expect(await send('a', 1, [1, 2])).toEqual(taken);
      expect(await send('a', 1, [1, 2])).toEqual({ state: 'taken', id: '' });
      expect(await send('a', 2, [2, 3])).toEqual(taken);
      expect(await send('a', 5, [5])).toEqual({ state: 'missing', last: 3 });
      expect(await send('a', 5, [5], true)).toEqual(taken);
      expect(await send('b', 1, [6])).toEqual(taken);
      await until('live', () => viewer.offsets.length === 5);
      expect(viewer.data()).toEqual([1, 2, 3, 5, 6]);
    });

    it('ends for every viewer with its final event, and starts again when it is reopened', async () => {
      const name = newChannel();
      const { publisher } = channels;
      const live = watch(name);
      await publisher.publish(name, { event: 'active', data: 1 }, { attempt: 1, rank: 0 });
      await publisher.publish(name, { event: 'progress', kind: 'state', data: 'p1' }, { attempt: 1 });
      await publisher.publish(name, { event: 'failed', data: 1, end: true }, { attempt: 1, rank: 8 });
      await until('ended', () => live.ended);
      const late = watch(name);
      await until('ended', () => late.ended);
      expect(late.events()).toEqual(['active', 'progress', 'failed']);
      expect(
        await publisher.publish(name, { event: 'progress', kind: 'state', data: 'late' }, { attempt: 1 }),
      ).toBeUndefined();

      await publisher.publish(name, { event: 'waiting', data: 2 }, { attempt: 1, rank: 9, reopens: 3 });
      await publisher.publish(name, { event: 'active', data: 2 }, { attempt: 2, rank: 0 });
      const again = watch(name);
      const returned = watch(name, new Viewer(), live.lastId);
      await until('both follow', () => again.frames.length === 2 && returned.frames.length === 2);
      expect(again.events()).toEqual(['waiting', 'active']);
      expect(returned.events()).toEqual(['waiting', 'active']);
      await publisher.publish(name, { event: 'completed', data: 2, end: true }, { attempt: 2, rank: 8 });
      await until('ended', () => again.ended && returned.ended);
    });

    it('stores a short log without spare space, and continues it when it is reopened', async () => {
      const name = newChannel();
      const { redis, publisher } = channels;
      const log = `test:{${name}}:log`;
      const run = async (attempt: number, events: number): Promise<void> => {
        await publisher.publish(name, { event: 'active', data: attempt }, { attempt, rank: 0 });
        for (let i = 0; i < events; i++)
          await publisher.publish(name, { event: 'log', data: i }, { attempt });
        await publisher.publish(name, { event: 'failed', data: attempt, end: true }, { attempt, rank: 8 });
      };
      const live = watch(name);
      await publisher.publish(name, { event: 'waiting', data: 0 }, { attempt: 0, rank: 2 });
      expect(await redis.memory('USAGE', log)).toBeLessThan(2000);
      expect(await redis.pttl(log)).toBeGreaterThan(0);
      await run(1, 1);
      await until('ended', () => live.ended);
      expect(await redis.memory('USAGE', log)).toBeLessThan(2000);
      expect(await redis.pttl(log)).toBeGreaterThan(0);
      const [, end] = live.lastId!.split('-');
      await publisher.publish(
        name,
        { event: 'waiting', data: 0 },
        { attempt: 1, rank: 9, reopens: Number(end) },
      );
      const returned = watch(name, new Viewer(), live.lastId);
      await run(2, 200);
      await until('ended', () => returned.ended);
      expect(returned.events()).toEqual(['waiting', 'active', ...Array(200).fill('log'), 'failed']);
      const entries = await redis.xrange(log, '-', '+');
      expect(entries.map(([id]) => id)).toEqual(entries.map((_, i) => `${i + 1}-0`));
      expect(entries.map(([, fields]) => fields[fields.indexOf('n') + 1])).toEqual(
        entries.map((_, i) => `${i + 1}`),
      );
      expect(await redis.pttl(log)).toBeGreaterThan(0);
      expect(await nodeOf(redis, log).keys(`test:{${name}}*`)).toHaveLength(2);
    });

    it.each([
      ['an event of the running attempt', { attempt: 2 }, true],
      ['an event of a finished attempt', { attempt: 1 }, false],
      ['a lifecycle event that was already published', { attempt: 2, rank: 0 }, false],
      ['an older lifecycle event', { attempt: 1, rank: 8 }, false],
      ['the next lifecycle event', { attempt: 2, rank: 3 }, true],
      ['the next attempt', { attempt: 3, rank: 0 }, true],
      ['the reopening of a channel that has not ended', { attempt: 2, rank: 9, reopens: 77 }, false],
    ])('P3: applies its fence to %s', async (_what, fence, passes) => {
      const name = newChannel();
      await channels.publisher.publish(name, { data: 'a' }, { attempt: 2, rank: 0 });
      const id = await channels.publisher.publish(name, { data: 'b' }, fence);
      expect(id !== undefined).toBe(passes);
    });

    it('publishes consecutive events without a numbering', async () => {
      const name = newChannel();
      const viewer = watch(name);
      const events = [1, 2, 3].map((data) => prepareEvent({ event: 'log', data }));
      const { state } = await channels.publisher.publishInRow(name, events, {});
      expect(state).toBe('taken');
      await until('live', () => viewer.offsets.length === 3);
      expect(viewer.data()).toEqual([1, 2, 3]);
    });

    it('rejects events of a run whose start is unknown, and prefers the later of two runs of one attempt', async () => {
      const name = newChannel();
      const viewer = watch(name);
      const { publisher } = channels;
      const send = (source: string, first: number, data: unknown) =>
        publisher.publishInRow(name, [prepareEvent({ event: 'progress', kind: 'state', data })], {
          numbering: { source, first },
          fence: { attempt: 2 },
        });
      await publisher.publish(name, { event: 'active', data: 1 }, { attempt: 1, rank: 0 });
      expect(await send('2.100.a', 1, 'early')).toEqual({ state: 'unbegun' });
      await publisher.publish(name, { event: 'active', data: 2 }, { attempt: 2, rank: 0 });
      expect((await send('2.100.a', 1, 'first')).state).toBe('taken');
      expect((await send('2.200.b', 1, 'second')).state).toBe('taken');
      expect((await send('2.100.a', 2, 'late')).state).toBe('refused');
      expect((await send('2.200.b', 2, 'last')).state).toBe('taken');
      await until('live', () => viewer.data().at(-1) === 'last');
      expect(viewer.events().indexOf('reset')).toBe(3);
      expect(viewer.data()).not.toContain('late');
      const late = watch(name);
      await until('read', () => late.frames.length === 3);
      expect(late.data()).toEqual([1, 2, 'last']);
    });

    it('P3: publishes a lifecycle event once, even if only a second process knows when the job is due', async () => {
      const name = newChannel();
      const viewer = watch(name);
      const { publisher } = channels;
      const retrying = { event: 'retrying', data: 1 };
      const due = (from: string, to: string) => ({ field: 'due' as const, from, to });
      await publisher.publish(name, { event: 'active', data: 1 }, { attempt: 1, rank: 0 });
      expect(await publisher.publish(name, retrying, { attempt: 1, rank: 4 })).toMatch(/-2$/);
      const late = { attempt: 1, rank: 4, guard: due('', '5000') };
      expect(await publisher.publish(name, retrying, late)).toBeUndefined();
      const moved = { attempt: 1, rank: 4, guard: due('', '9000'), again: true };
      expect(await publisher.publish(name, { event: 'delayed', data: 1 }, moved)).toMatch(/-3$/);
      expect(await publisher.publish(name, { event: 'delayed', data: 1 }, moved)).toBeUndefined();
      await until('live', () => viewer.offsets.length === 3);
      expect(viewer.events()).toEqual(['active', 'retrying', 'delayed']);
    });

    it('expires some time after its last event', async () => {
      const own = open({ ttlMs: 300 });
      const name = newChannel();
      await own.publisher.publish(name, { data: 1 });
      await own.publisher.publish(name, { event: 'progress', kind: 'state', data: 1 });
      for (const key of ['', ':log', ':slots'])
        expect(await own.redis.pttl(`test:{${name}}${key}`)).toBeGreaterThan(0);
      await until(
        'gone',
        async () =>
          (await own.redis.exists(`test:{${name}}`, `test:{${name}}:log`, `test:{${name}}:slots`)) === 0,
      );
    });

    it.each(['state', 'log'] as const)(
      'does not expire while it is used, with %s events only',
      async (kind) => {
        const ttlMs = 1000;
        const own = open({ ttlMs });
        const name = newChannel();
        const publish = (data: unknown) => own.publisher.publish(name, { event: 'score', kind, data });
        await own.publisher.publish(name, { event: 'score', kind, key: 'once', data: 'first' });
        const epoch = await own.redis.hget(`test:{${name}}`, 'epoch');
        const keys = ['', kind === 'state' ? ':slots' : ':log'].map((suffix) => `test:{${name}}${suffix}`);
        const left = () => Promise.all(keys.map((key) => own.redis.pttl(key)));
        // Together, the waits are longer than the time after which a channel expires.
        for (let round = 0; round < 6; round++) {
          await until('a fifth of the time is over', async () => Math.max(...(await left())) < ttlMs * 0.8);
          await publish(round);
          expect(Math.min(...(await left()))).toBeGreaterThan(ttlMs * 0.8);
          // This one follows so soon that the time is not set again.
          await publish('at once');
          expect(Math.min(...(await left()))).toBeGreaterThan(0);
        }
        expect(await own.redis.hget(`test:{${name}}`, 'epoch')).toBe(epoch);
        if (kind === 'state') expect(await own.redis.hget(`test:{${name}}:slots`, 'once')).toContain('first');
      },
    );

    it('rejects names that are unsafe in a Redis key', async () => {
      for (const name of ['', 'a{b}', 'a b', 'a\nb', '../x', 'x'.repeat(201), 'é', 'a\0']) {
        await expect(channels.publisher.publish(name, { data: 1 }), JSON.stringify(name)).rejects.toThrow(
          TypeError,
        );
        expect(() => channels.hub.subscribe(name, new Viewer())).toThrow(TypeError);
      }
    });
  },
);
