import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { jobChannel } from '../../../src/shared/channel/keys.js';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createReader } from '../../../src/shared/channel/reader.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createReconciler, type Reconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { createSnapshotReader } from '../../../src/shared/lifecycle/snapshot.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const prefix = 'test';
const queuePrefix = '{test}';
const nothing = async (): Promise<void> => {};

describe('a reconcile, and what happens while it is under way', () => {
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
    // It takes jobs when it is told to, and looks for no stalled ones.
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

  /** A lifecycle as one process has it. @param meanwhile what happens when it has looked and is about to tell the event */
  function process(event = '', meanwhile: () => Promise<unknown> = nothing): Reconciler {
    let happened = false;
    return createReconciler({
      redis,
      prefix,
      publisher: createPublisher({ redis, prefix, logLength: 100, ttlMs: 60_000, sharded: true }),
      readJob: createSnapshotReader(redis, queuePrefix),
      queuePrefix,
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
  it('sees a job as active whose lock has run out before another worker has it', async () => {
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
    const missed = await createReader(redis, prefix)(jobChannel(id), { epoch: '', offset: 0 });
    return missed!.frames.map(({ frame }) => {
      const [, event, attempt] = /event: (\S+)\n.*"attempt":(\d+)/.exec(frame.toString())!;
      return `${event} ${attempt}`;
    });
  }

  it('tells each thing once, however many look at once', async () => {
    job = (await take())!;
    await Promise.all(Array.from({ length: 20 }, () => process().reconcile(id)));
    await fail();
    await Promise.all(Array.from({ length: 20 }, () => process().reconcile(id)));
    expect(await published()).toEqual(['waiting 0', 'active 1', 'failed 1']);
  });

  it('that looked at a run before its end was told takes nothing back', async () => {
    job = (await take())!;
    const { end } = await process('active', async () => {
      await job.moveToCompleted('done', 'token', false);
      await job.remove();
      // Another process hears of it first.
      await process().reconcile(id, { event: 'completed', result: 'done' });
    }).reconcile(id);
    // By the one that knew of no run.
    expect(await published()).toEqual(['waiting 0', 'completed 0']);
    expect(end).toBe(2);
  });

  it('that looked at a run before the end of the one before was told tells of it all the same', async () => {
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
    // It is put back and taken; when the worker has looked at its new run, the other one tells the end of the first.
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

  it('that finds its end taken back meanwhile tells what holds', async () => {
    job = (await take())!;
    await process().reconcile(id);
    await fail();
    // Put back, and taken, while somebody is about to tell that it failed; he is the last to come.
    await process('failed', async () => {
      await process().reconcile(id);
      await job.retry('failed');
      await process().reconcile(id);
    }).reconcile(id);
    expect(await published()).toEqual(['waiting 1']);
  });

  it('that finds the job removed meanwhile ends it once', async () => {
    job = (await take())!;
    await process('active', async () => {
      await redis.del(`${queuePrefix}:steps:${id}:lock`);
      await job.remove();
    }).reconcile(id);
    await Promise.all([process().reconcile(id), process().reconcile(id)]);
    expect((await published()).filter((event) => event.startsWith('cancelled'))).toHaveLength(1);
    expect((await published()).at(-1)).toMatch(/^cancelled/);
  });

  it('of a job that was cancelled leaves nothing of it, when it is removed meanwhile', async () => {
    await redis.hset(`${queuePrefix}:steps:${id}`, 'hw:cancel', 'asked');
    job = (await take())!;
    await job.moveToFailed(new UnrecoverableError('cancelled'), 'token', false);
    await process('cancelled', () => job.remove()).reconcile(id);
    expect((await published()).at(-1)).toBe('cancelled 1');
    expect(await redis.exists(`${queuePrefix}:steps:${id}`)).toBe(0);
  });

  it('frees a cancelled job to run again, also when who told its end has died right after', async () => {
    const key = `${queuePrefix}:steps:${id}`;
    await redis.hset(key, 'hw:cancel', 'asked');
    job = (await take())!;
    await job.moveToFailed(new UnrecoverableError('cancelled'), 'token', false);
    await process().reconcile(id);
    await redis.hset(key, 'hw:cancel', 'asked');
    await process().reconcile(id);
    expect(await redis.hget(key, 'hw:cancel')).toBe('told');
  });

  it('does not take a second request for the first, which it has met', async () => {
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
