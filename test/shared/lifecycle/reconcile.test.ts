import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { jobChannel } from '../../../src/shared/channel/keys.js';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createReader } from '../../../src/shared/channel/reader.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { assumeWaiting } from '../../../src/shared/lifecycle/observers.js';
import {
  createReconciler,
  type Reconciled,
  type Reconciler,
} from '../../../src/shared/lifecycle/reconcile.js';
import { createSnapshotReader } from '../../../src/shared/lifecycle/snapshot.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('test');
const { queuePrefix } = keyspace;
const nothing = async (): Promise<void> => {};

describe('a reconciliation, and changes in the meantime', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  let worker: Worker;
  let job: Job;
  let id: string;
  let number = 0;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    queue = new Queue('steps', { connection: redis, prefix: queuePrefix });
    // Without a processor, the worker takes jobs on demand, and does not check for stalled jobs.
    worker = new Worker('steps', undefined, { connection: redis, prefix: queuePrefix });
    await worker.waitUntilReady();
  });
  beforeEach(async () => {
    await queue.obliterate({ force: true });
    id = `steps.${++number}`;
    job = await queue.add('steps', {}, { jobId: id });
    await process().reconcile(id);
  });
  afterAll(async () => {
    await worker.close();
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  /** The reconciler of one process. @param meanwhile runs before that reconciler publishes `event` for the first time */
  function process(event = '', meanwhile: () => Promise<unknown> = nothing): Reconciler {
    let happened = false;
    return createReconciler({
      redis,
      keyspace,
      publisher: createPublisher({ redis, keyspace, logLength: 100, ttlMs: 60_000, sharded: true }),
      readJob: createSnapshotReader(redis, keyspace),
      observers: [
        {
          async beforePublish(_jobId, transition) {
            if (happened || transition.event.event !== event) return;
            happened = true;
            await meanwhile();
          },
        },
      ],
      keep: createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 }),
    });
  }
  it('publishes a job as active when its lock has expired and no other worker has taken it', async () => {
    await take();
    await process().reconcile(id);
    await redis.del(`${queuePrefix}:steps:${id}:lock`);
    const { job: now } = await process().reconcile(id);
    expect(now!.state).toBe('active');
    expect(await published()).toEqual(['waiting 0', 'active 1']);
  });

  const take = (): Promise<Job | undefined> => worker.getNextJob('token');
  const fail = (): Promise<unknown> => job.moveToFailed(new UnrecoverableError('no'), 'token', false);
  async function published(): Promise<string[]> {
    const missed = await createReader(redis, keyspace)(jobChannel(id), { epoch: '', offset: 0 });
    return missed!.frames.map(({ frame }) => {
      const [, event, attempt] = /event: (\S+)\n.*"attempt":(\d+)/.exec(frame.toString())!;
      return `${event} ${attempt}`;
    });
  }

  it('reads the channel once, and no log of BullMQ, for a job of our own worker', async () => {
    job = (await take())!;
    const reads = [vi.spyOn(redis, 'hmget'), vi.spyOn(redis, 'llen')];
    const { epoch, end } = await process().reconcile(id);
    await job.moveToCompleted('done', 'token', false);
    const ended = await process().reconcile(id);
    expect(reads.map(({ mock }) => mock.calls.length)).toEqual([2, 0]);
    vi.restoreAllMocks();
    expect({ epoch, end }).toEqual({ epoch: expect.stringMatching(/^\w{12}$/), end: undefined });
    const { job: _, ...now } = await process().reconcile(id);
    expect(ended).toMatchObject(now);
    expect(now).toEqual({ epoch, end: 3 });
  });

  const begin = (): Promise<unknown> =>
    process().reconcile(id, undefined, undefined, undefined, assumeWaiting(''));

  it('begins the first run of a waiting job without reading its channel', async () => {
    const channel = `test:{job:${id}}`;
    const before = Object.keys(await redis.hgetall(channel));
    job = (await take())!;
    const reads = vi.spyOn(redis, 'hmget');
    await begin();
    expect(reads).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    expect(await published()).toEqual(['waiting 0', 'active 1']);
    expect(Object.keys(await redis.hgetall(channel))).toEqual(before);
  });

  it('begins the first run of a job that is not published as waiting like any other run', async () => {
    // Held up by its queue: the event that ends this comes first.
    await queue.pause();
    await process().reconcile(id);
    await queue.resume();
    job = (await take())!;
    await begin();
    expect(await published()).toEqual(['waiting 0', 'active 1']);
    expect(await redis.hmget(`test:{job:${id}}`, 'offset', 'paused')).toEqual(['4', null]);
    // Another run than the one that the caller assumes.
    await fail();
    await job.retry('failed');
    job = (await take())!;
    await begin();
    expect(await published()).toEqual(['waiting 0', 'active 1', 'retrying 1', 'active 2']);
    // A new job under the id of one that has ended.
    await fail();
    await process().reconcile(id);
    await job.remove();
    await queue.add('steps', {}, { jobId: id });
    job = (await take())!;
    await begin();
    expect((await published()).at(-1)).toBe('active 1');
  });

  it('publishes the start and the end of a first run in one call, as in two', async () => {
    const keys = [`test:{job:${id}}`, `test:{job:${id}}:log`];
    const copies = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    job = (await take())!;
    const read = async () => ({
      channel: await redis.hgetall(keys[0]!),
      frames: (await redis.xrange(keys[1]!, '-', '+')).map(([, [, frame]]) => frame),
    });
    await job.moveToCompleted('done', 'token', false);
    await process().reconcile(id);
    const inTwo = await read();
    await Promise.all(keys.map((key, i) => redis.restore(key, 0, copies[i]!, 'REPLACE')));
    const reads = vi.spyOn(redis, 'hmget');
    const calls = vi.spyOn(redis as unknown as { channelPublish(): unknown }, 'channelPublish');
    const { end, known } = (await begin()) as Reconciled;
    expect(reads).not.toHaveBeenCalled();
    expect(calls).toHaveBeenCalledOnce();
    vi.restoreAllMocks();
    expect(await read()).toEqual(inTwo);
    expect(end).toBe(3);
    expect(known!.published).toMatchObject({ attempt: 1, rank: 8, end: 3 });
  });

  it.each([
    ['as active', async () => void (await process().reconcile(id))],
    ['completely', async () => {}],
  ])(
    'publishes each event of a first run once if another process has published it %s',
    async (_how, before) => {
      job = (await take())!;
      await before();
      await job.moveToCompleted('done', 'token', false);
      await Promise.all([begin(), process().reconcile(id), begin()]);
      expect(await published()).toEqual(['waiting 0', 'active 1', 'completed 1']);
    },
  );

  it('publishes what a worker that knows only BullMQ has reported before the end of a first run', async () => {
    job = (await take())!;
    await job.log('a line');
    await job.moveToCompleted('done', 'token', false);
    await begin();
    expect(await published()).toEqual(['waiting 0', 'active 1', 'log 1', 'completed 1']);
  });

  it('publishes what is missing when the state that the caller knows is outdated', async () => {
    job = (await take())!;
    const { known } = await process().reconcile(id);
    const later = (): Promise<unknown> => process().reconcile(id, undefined, undefined, undefined, known);
    const reads = vi.spyOn(redis, 'hmget');
    await fail();
    await later();
    expect(reads).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    // The job is retried and runs again. The known state is that of the first run.
    await job.retry('failed');
    await later();
    expect(await published()).toEqual(['waiting 1']);
    job = (await take())!;
    await process().reconcile(id);
    await later();
    await job.moveToCompleted('done', 'token', false);
    await later();
    expect(await published()).toEqual(['waiting 1', 'active 2', 'completed 2']);
    // The channel was lost.
    await redis.del(`test:{job:${id}}`);
    await later();
    expect((await published()).at(-1)).toBe('completed 2');
  });

  it.each([
    ['with a retry to come', () => job.moveToFailed(new Error('no'), 'token', false), 'retrying 1'],
    ['with a result', () => job.moveToCompleted('done', 'token', false), 'completed 1'],
  ])('publishes `active` again before the end of a run %s if Redis has lost it', async (_how, end, last) => {
    const keys = [`test:{job:${id}}`, `test:{job:${id}}:log`];
    const copies = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
    await job.remove();
    job = await queue.add('steps', {}, { jobId: job.id!, attempts: 2, backoff: 1000 });
    job = (await take())!;
    const { known } = await process().reconcile(id);
    await Promise.all(keys.map((key, i) => redis.restore(key, 0, copies[i]!, 'REPLACE')));
    await end();
    await process().reconcile(id, undefined, undefined, undefined, known);
    expect(await published()).toEqual(['waiting 0', 'active 1', last]);
  });

  it('publishes each event once when many processes race', async () => {
    job = (await take())!;
    await Promise.all(Array.from({ length: 20 }, () => process().reconcile(id)));
    await fail();
    await Promise.all(Array.from({ length: 20 }, () => process().reconcile(id)));
    expect(await published()).toEqual(['waiting 0', 'active 1', 'failed 1']);
  });

  it('withdraws nothing when it has read an active run before the end was published', async () => {
    job = (await take())!;
    const { end } = await process('active', async () => {
      await job.moveToCompleted('done', 'token', false);
      await job.remove();
      // Another process publishes the end first.
      await process().reconcile(id, { event: 'completed', result: 'done' });
    }).reconcile(id);
    // The end was published by the process that had read no active run.
    expect(await published()).toEqual(['waiting 0', 'completed 0']);
    expect(end).toBe(2);
  });

  it('publishes a new run although the end of the previous one was published later', async () => {
    job = (await take())!;
    await process().reconcile(id);
    await fail();
    let tell!: () => void;
    let telling!: Promise<unknown>;
    await new Promise<void>((hasLooked) => {
      telling = process('failed', () => {
        hasLooked();
        return new Promise<void>((resolve) => (tell = resolve));
      }).reconcile(id);
    });
    // The job is retried and taken. After the worker has read its new run, the other process publishes the end of the first.
    await job.retry('failed');
    job = (await take())!;
    await process('active', () => {
      tell();
      return telling;
    }).reconcile(id);
    expect((await published()).at(-1)).toBe('active 2');
    await job.moveToCompleted('done', 'token', false);
    await process().reconcile(id);
    expect((await published()).at(-1)).toBe('completed 2');
  });

  it('publishes the present state when the end is withdrawn meanwhile', async () => {
    job = (await take())!;
    await process().reconcile(id);
    await fail();
    // The job is retried and taken while the slowest process is about to publish its failure.
    await process('failed', async () => {
      await process().reconcile(id);
      await job.retry('failed');
      await process().reconcile(id);
    }).reconcile(id);
    expect(await published()).toEqual(['waiting 1']);
  });

  it('publishes one end when the job is removed meanwhile', async () => {
    job = (await take())!;
    await process('active', async () => {
      await redis.del(`${queuePrefix}:steps:${id}:lock`);
      await job.remove();
    }).reconcile(id);
    await Promise.all([process().reconcile(id), process().reconcile(id)]);
    expect((await published()).filter((event) => event.startsWith('cancelled'))).toHaveLength(1);
    expect((await published()).at(-1)).toMatch(/^cancelled/);
  });

  it('leaves no key behind of a cancelled job that is removed meanwhile', async () => {
    await redis.hset(`${queuePrefix}:steps:${id}`, 'hw:cancel', 'asked');
    job = (await take())!;
    await job.moveToFailed(new UnrecoverableError('cancelled'), 'token', false);
    await process('cancelled', () => job.remove()).reconcile(id);
    expect((await published()).at(-1)).toBe('cancelled 1');
    expect(await redis.exists(`${queuePrefix}:steps:${id}`)).toBe(0);
  });

  it('lets a cancelled job run again, even when the process that published its end has died', async () => {
    const key = `${queuePrefix}:steps:${id}`;
    await redis.hset(key, 'hw:cancel', 'asked');
    job = (await take())!;
    await job.moveToFailed(new UnrecoverableError('cancelled'), 'token', false);
    await process().reconcile(id);
    await redis.hset(key, 'hw:cancel', 'asked');
    await process().reconcile(id);
    expect(await redis.hget(key, 'hw:cancel')).toBe('told');
  });

  it('does not confuse a second cancel request with the first one', async () => {
    const key = `${queuePrefix}:steps:${id}`;
    await redis.hset(key, 'hw:cancel', 'asked');
    job = (await take())!;
    await job.moveToFailed(new UnrecoverableError('cancelled'), 'token', false);
    await process('cancelled', async () => {
      await process().reconcile(id);
      await job.retry('failed');
      job = (await take())!;
      await redis.hset(key, 'hw:cancel', 'asked');
    }).reconcile(id);
    expect(await redis.hget(key, 'hw:cancel')).toBe('asked');
  });
});
