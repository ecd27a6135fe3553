import { Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, type StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { expectNoStepBack } from '../support/progress.js';
import { randomOfTest } from '../support/random-of-test.js';
import { openRedis, startRedis, type TestRedis } from '../support/redis.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const QUICK = { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', PROGRESS_INTERVAL_MS: '20' };

/** Completes jobs of the queue "steps" as a worker that dies at once: it publishes nothing. */
async function complete({ port }: TestRedis, count: number): Promise<void> {
  const worker = new Worker('steps', undefined, {
    connection: { host: '127.0.0.1', port },
    prefix: '{headway}',
  });
  for (let i = 0; i < count; i++) {
    const taken = await until('the job can be taken', () => worker.getNextJob('dead'));
    await taken.moveToCompleted({ steps: 1 }, 'dead', false);
  }
  await worker.close();
}

describe('when a worker dies', () => {
  let headway: Headway;
  /** The worker that a test has left for the next one. */
  let left: TestProcess | undefined;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { ...QUICK, JOBS_DIR: jobsDir('steered', 'plain') } });
  });
  afterEach(async () => {
    const ended = headway.workers.splice(0).filter((worker) => worker !== left);
    await Promise.all(ended.map((worker) => worker.kill()));
    headway.workers.push(...(left ? [left] : []));
  });
  afterAll(() => headway.stop());

  const launch = (env: Record<string, string>): Promise<TestProcess> =>
    startWorker({ ...headway.env, WORKER_JOBS: 'steps,steered,plain', ...env });
  /** Starts a worker that ends with its test. */
  async function startOne(env: Record<string, string> = {}): Promise<TestProcess> {
    const worker = await launch(env);
    headway.workers.push(worker);
    return worker;
  }
  /** Returns the worker that the last test has left, or starts one. It ends with its test. */
  async function takeOne(): Promise<TestProcess> {
    const worker = left ?? (await startOne());
    left = undefined;
    return worker;
  }
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });

  it('its job is shown as stalled, and another worker runs it from the start', async () => {
    const worker = await startOne();
    const { connection } = headway;
    const job = await headway.client.start('steered', { turns: 'stalled' });
    const stream = await watch(job);
    await connection.lpush('stalled', '80');
    await stream.waitFor('progress');
    await worker.kill('SIGKILL');
    // A busy machine must not cost it the lock.
    left = await startOne({ LOCK_DURATION_MS: '15000' });
    await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2);
    await connection.lpush('stalled', '5');
    await stream.waitFor(({ event, data }) => event === 'progress' && data.attempt === 2);
    await connection.lpush('stalled', 'end');
    await stream.ended;
    expect(stream.names()).toEqual([
      'waiting',
      'active',
      'progress',
      'stalled',
      'active',
      'progress',
      'completed',
    ]);
    expect(stream.events.at(-2)!.data).toMatchObject({ attempt: 2, percent: 5 });
  });

  it('the next worker still knows how long a kind takes', async () => {
    const { client, connection } = headway;
    const worker = await takeOne();
    await Promise.all(Array.from({ length: 3 }, () => client.start('steps', { count: 5, intervalMs: 60 })));
    const runs = () => connection.lrange('headway:{runs}:steps', 0, -1);
    await until('the runs are kept', async () => (await runs()).length >= 3);
    const [longest = 0] = (await runs()).map((run) => JSON.parse(run)[0] as number).sort((a, b) => b - a);
    await worker.kill('SIGKILL');
    // As if three runs of another kind had taken a minute.
    await connection.lpush('headway:{runs}:steered', '[60000,0]', '[60000,0]', '[61000,0]');
    left = await startOne();
    const job = await client.start('steps', { count: 50, intervalMs: 60 });
    const stream = await watch(job);
    // Ten times the size, before the first step is done.
    const { data } = await stream.waitFor('progress');
    expect(data).toMatchObject({ percent: 0, total: 50 });
    expect(data.etaMs).toBeGreaterThan(2000);
    expect(data.etaMs).toBeLessThanOrEqual(10 * longest);
    const silent = await client.start('steered', { turns: 'silent' });
    const silentStream = await watch(silent);
    const { data: first } = await silentStream.waitFor('progress');
    expect(first).toMatchObject({ attempt: 1, percent: null });
    expect(first.etaMs).toBeGreaterThan(55_000);
    expect(first.etaMs).toBeLessThan(60_000);
    const view = await (await client.get(silent)).json();
    expect(view.progress).toMatchObject({ percent: null, etaMs: first.etaMs });
    await connection.lpush('silent', 'end');
    await Promise.all([client.cancel(job), silentStream.ended]);
    await connection.del('headway:{runs}:steered');
  });

  it('a job that has stalled too often fails, with a reason', async () => {
    const worker = await takeOne();
    const job = await headway.client.start('steered', { turns: 'turns' });
    const stream = await watch(job);
    await stream.waitFor('active');
    await worker.kill('SIGKILL');
    await startOne({ MAX_STALLS: '0' });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: { error: { message: expect.stringMatching(/stalled/) } },
    });
  });

  describe('again and again', () => {
    const env = { MAX_STALLS: '1000', WORKER_CONCURRENCY: '3' };
    let workers: TestProcess[];
    beforeAll(async () => {
      workers = await Promise.all([launch(env), launch(env)]);
    });
    afterAll(async () => void (await Promise.all(workers.map((worker) => worker.kill()))));

    it('at random moments, every job ends once, and viewers see attempts and progress only rise', async () => {
      const { client } = headway;
      const jobs = await Promise.all(
        Array.from({ length: 24 }, (_, i) =>
          client.start('steps', { count: 10, intervalMs: 30, ...(i % 4 === 3 ? { failAt: 5 } : {}) }),
        ),
      );
      const streams = await Promise.all(jobs.map(watch));
      const random = randomOfTest();
      let done = false;
      const killing = (async () => {
        for (let round = 0; round < 5 && !done; round++) {
          await new Promise((resolve) => setTimeout(resolve, random.between(100, 500)));
          await workers[round % 2]!.kill('SIGKILL');
          workers[round % 2] = await launch(env);
        }
      })();
      await Promise.all(streams.map(({ ended }) => ended)).then(() => {
        done = true;
      });
      await killing;
      for (const [i, { events, names }] of streams.entries()) {
        const ends = names().filter((name) => name === 'completed' || name === 'failed');
        expect(ends).toEqual([i % 4 === 3 ? 'failed' : 'completed']);
        expect(names().at(-1)).toBe(ends[0]);
        const offsets = events.map(({ id }) => Number(id!.split('-')[1]));
        expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
        expectNoStepBack(events);
      }
    });

    it('while its jobs end at once, each start is published before its end, and both once', async () => {
      const { client } = headway;
      const random = randomOfTest();
      const streams: TestStream[] = [];
      for (let round = 0; round < 2; round++) {
        const jobs = await Promise.all(Array.from({ length: 30 }, () => client.start('plain', {})));
        await new Promise((resolve) => setTimeout(resolve, random.between(0, 30)));
        await workers[round % 2]!.kill('SIGKILL');
        streams.push(...(await Promise.all(jobs.map(watch))));
        workers[round % 2] = await launch(env);
      }
      await Promise.all(streams.map(({ ended }) => ended));
      for (const { events, names } of streams) {
        const [last, before] = events.filter(({ event }) => event !== 'queue').reverse();
        expect(last).toMatchObject({ event: 'completed' });
        expect(before).toMatchObject({ event: 'active', data: { attempt: last!.data.attempt } });
        expect(names().filter((name) => name === 'completed')).toHaveLength(1);
        const starts = events.flatMap(({ event, data }) => (event === 'active' ? [data.attempt] : []));
        expect(starts).toEqual([...new Set(starts)]);
      }
    });
  });

  it('after it was asked to stop, the next worker takes its jobs at once', async () => {
    const env = { SHUTDOWN_GRACE_MS: '0', LOCK_DURATION_MS: '30000', STALLED_INTERVAL_MS: '30000' };
    const worker = await startOne(env);
    const { connection } = headway;
    const job = await headway.client.start('steered', { turns: 'handed back' });
    const stream = await watch(job);
    await connection.lpush('handed back', '80');
    await stream.waitFor('progress');
    await worker.stop();
    await startOne(env);
    // The lock of 30 s has not expired by then.
    await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2, 10_000);
    await connection.lpush('handed back', 'end');
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'progress', 'waiting', 'active', 'completed']);
  });

  it('after its job has ended and before it publishes the end, viewers still get it', async () => {
    const { client } = headway;
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await watch(job);
    await stream.waitFor('waiting');
    await complete(headway.redis, 1);
    // The end comes from BullMQ's events: the recheck of watched jobs, every 30 s, would be later.
    await stream.waitFor('completed', 15_000);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { steps: 1 } } });
    expect(headway.connection.status).toBe('ready');
  });
});

it('a job that ends while no process follows the queues is shown as completed to a new viewer, and to one that is connected when Redis comes back', async () => {
  const redis = await startRedis();
  const connection = openRedis(redis.url);
  // The lease belongs to a dead process, so no process follows the queues.
  await connection.set('headway:{bridge}:lease', 'worker:gone');
  const api = await startApi({ ...QUICK, REDIS_URL: redis.url });
  onTestFinished(async () => {
    connection.disconnect();
    await api.kill();
    await redis.stop();
  });
  const client = clientOf(api.url);
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(client.events(job), { token: job.token });
  const [watched, unwatched] = [
    await client.start('steps', { count: 1, intervalMs: 1 }),
    await client.start('steps', { count: 1, intervalMs: 1 }),
  ];
  const there = await watch(watched);
  await there.waitFor('waiting');
  await complete(redis, 2);
  const late = await watch(unwatched);
  // The recheck of watched jobs, every 30 s, would be later.
  await late.waitFor('completed', 15_000);
  expect(there.names()).toEqual(['waiting']);
  await connection.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await there.waitFor('completed', 15_000);
  for (const viewer of [late, there]) {
    await viewer.ended;
    expect(viewer.names().filter((name) => name === 'completed')).toHaveLength(1);
  }
});
