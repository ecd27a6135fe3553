import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBatcher } from '../../src/shared/channel/batch.js';
import { frameId } from '../../src/shared/channel/frame.js';
import { channelKeys, jobChannel } from '../../src/shared/channel/keys.js';
import { derivedJobId, newJobId } from '../../src/shared/jobs/queues.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { createLostJobEnder } from '../../src/shared/lifecycle/lost-jobs.js';
import { untilTaken } from '../../src/shared/redis/until-taken.js';
import { openChannels, plainRedis, Viewer } from '../support/channel.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const publishers = [
  { name: 'one call for each event', batch: undefined },
  { name: 'calls for groups of events', batch: createBatcher(1) },
];

describe.each(publishers)(
  'P5: a Redis that restarts on an older copy of its file, with $name',
  ({ batch }) => {
    let redis: TestRedis;
    let writer: ReturnType<typeof openChannels>;
    let reader: ReturnType<typeof openChannels>;
    beforeEach(async () => {
      redis = await startRedis({ appendOnly: true });
      writer = openChannels(redis.url, { role: 'report', batch });
      reader = openChannels(redis.url);
    });
    afterEach(async () => {
      writer.close();
      reader.close();
      await redis.stop();
    });

    const watch = (name: string, viewer = new Viewer(), lastEventId?: string): Viewer => {
      viewer.subscription = reader.hub.subscribe(name, viewer, { lastEventId });
      return viewer;
    };
    const publish = async (name: string, from: number, to: number): Promise<void> => {
      for (let i = from; i <= to; i++) {
        await untilTaken(() => writer.publisher.publish(name, { event: 'log', data: i }));
      }
    };
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from + 1 }, (_, i) => from + i);

    // With these, the channel is before, at and beyond the viewer's offset when the viewer reads again.
    it.each([5, 10, 11, 50])(
      'sends a reset and the whole log when %i events were written before the viewer reads again',
      async (written) => {
        await publish('c', 1, 90);
        const restore = redis.keepCopy();
        const viewer = watch('c');
        const ahead = watch('c');
        await publish('c', 91, 100);
        await until(
          'the viewers have all events',
          () => viewer.offsets.length === 100 && ahead.offsets.length === 100,
        );
        viewer.subscription.close();
        await redis.kill('SIGKILL');
        restore();
        await redis.restart();
        await publish('c', 1001, 1000 + written);
        // Both viewers have seen events that Redis lost; `back` reconnects, `ahead` stays.
        const back = watch('c', new Viewer(), viewer.lastId);
        await publish('c', 2000, 2000);
        await until(
          'the viewers have caught up',
          () => back.data().at(-1) === 2000 && ahead.data().at(-1) === 2000,
        );
        const now = [...range(1, 90), ...range(1001, 1000 + written), 2000];
        expect(back.data()[0]).toMatchObject({ reason: 'rewound' });
        expect(back.data().slice(1)).toEqual(now);
        const resets = ahead.events().flatMap((event, i) => (event === 'reset' ? [i] : []));
        expect(resets).toHaveLength(1);
        expect(ahead.data().slice(resets[0]! + 1)).toEqual(now);
      },
    );

    it('sends no reset to a viewer that has seen none of the lost events', async () => {
      await publish('c', 1, 10);
      const viewer = watch('c');
      await until('the viewers have all events', () => viewer.offsets.length === 10);
      viewer.subscription.close();
      const restore = redis.keepCopy();
      await publish('c', 11, 20);
      await redis.kill('SIGKILL');
      restore();
      await redis.restart();
      await publish('c', 101, 130);
      const back = watch('c', new Viewer(), viewer.lastId);
      await until('the viewers have caught up', () => back.data().at(-1) === 130);
      expect(back.data()).toEqual(range(101, 130));
      expect(back.received.map((frame) => frameId(frame).offset)).toEqual(range(11, 40));
    });

    // Both servers and all connections stay, so neither the server's run id nor a new connection shows the loss.
    it.each([5, 50])(
      'sends a reset after a failover to a lagging replica and back, with %i events since',
      async (written) => {
        const other = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] });
        const [here, there] = [plainRedis(redis.url), plainRedis(other.url)];
        const follows = async (replica: Redis, port: number): Promise<void> => {
          await replica.replicaof('127.0.0.1', port);
          await until('the replica is in sync', async () =>
            (await replica.info('replication')).includes('master_link_status:up'),
          );
        };
        try {
          await here.config('SET', 'repl-diskless-sync-delay', '0');
          await publish('c', 1, 90);
          const viewer = watch('c');
          await follows(there, redis.port);
          await there.replicaof('NO', 'ONE');
          await publish('c', 91, 100);
          await until('the viewers have all events', () => viewer.offsets.length === 100);
          await follows(here, other.port);
          await here.replicaof('NO', 'ONE');
          await publish('c', 1001, 1000 + written);
          await until('the viewers have caught up', () => viewer.data().at(-1) === 1000 + written);
          expect(viewer.data().slice(100)).toEqual([
            expect.objectContaining({ reason: expect.stringMatching(/^(rewound|epoch)$/) }),
            ...range(1, 90),
            ...range(1001, 1000 + written),
          ]);
        } finally {
          here.disconnect();
          there.disconnect();
          await other.stop();
        }
      },
    );

    it('keeps the epoch of a channel from a release that stored only the run id of the server', async () => {
      await publish('c', 1, 3);
      const [channel] = channelKeys(createKeyspace('test'), 'c');
      const epoch = await writer.redis.hget(channel, 'epoch');
      await writer.redis.hdel(channel, 'history');
      await publish('c', 4, 5);
      expect(await writer.redis.hmget(channel, 'epoch', 'past')).toEqual([epoch, null]);
      // A new run id still starts a new epoch, as in that release.
      await writer.redis.hdel(channel, 'history');
      await writer.redis.hset(channel, 'run', 'another');
      await publish('c', 6, 6);
      expect(await writer.redis.hget(channel, 'past')).toBe(`${epoch}:5`);
    });
  },
);

describe('P2: a watched job that Redis has lost with its channel', () => {
  const GRACE_MS = 300;
  let redis: TestRedis;
  let channels: ReturnType<typeof openChannels>;
  let endLost: ReturnType<typeof createLostJobEnder>;
  beforeAll(async () => {
    redis = await startRedis();
    channels = openChannels(redis.url);
    endLost = createLostJobEnder(channels.hub, channels.publisher, channels.redis, GRACE_MS);
  });
  afterAll(async () => {
    channels.close();
    await redis.stop();
  });
  const watch = (jobId: string, stays = false): Viewer => {
    const viewer = new Viewer();
    viewer.subscription = channels.hub.subscribe(jobChannel(jobId), viewer, { stays });
    return viewer;
  };

  it('ends as a removed one, once, however many processes notice it', async () => {
    for (const jobId of [newJobId('work'), derivedJobId('work', 'a key')]) {
      const viewers = [watch(jobId), watch(jobId)];
      await Promise.all([endLost(jobId), endLost(jobId)]);
      await until('the viewers have the end', () => viewers.every(({ ended }) => ended));
      for (const viewer of viewers) {
        expect(viewer.events()).toEqual(['cancelled']);
        expect(viewer.data()).toMatchObject([{ jobId, attempt: 0, reason: 'removed' }]);
      }
    }
  });

  it('does not end while its parent or its schedule may start it again under the same id', async () => {
    const child = `work.${'0a'.repeat(16)}`;
    const viewer = watch(child);
    const began = performance.now();
    await until('the viewer has the end', async () => {
      await endLost(child);
      return viewer.ended;
    });
    expect(performance.now() - began).toBeGreaterThan(GRACE_MS);
    expect(viewer.events()).toEqual(['cancelled']);
  });

  it('only ends its streams if they have seen the end: then it has expired', async () => {
    const jobId = newJobId('work');
    const viewer = watch(jobId, true);
    const data = { jobId, attempt: 1, at: 1 };
    await channels.publisher.publish(jobChannel(jobId), { event: 'completed', data, end: true });
    await until('the viewer has the end', () => viewer.offsets.length === 1);
    await channels.redis.del(...channelKeys(createKeyspace('test'), jobChannel(jobId)));
    await endLost(jobId);
    expect(viewer.ended).toBe(true);
    expect(viewer.events()).toEqual(['completed']);
    expect(await channels.redis.exists(channelKeys(createKeyspace('test'), jobChannel(jobId))[0])).toBe(0);
  });
});
