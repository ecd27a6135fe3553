import { Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { type ChangedJob, jobsDir } from '../support/jobs.js';
import { startWorker, type TestProcess } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';

/** On a busy machine, a job needs longer than usual to stop, and the API to see that it is stopping. */
const PATIENT: ChangedJob = { file: 'stubborn', name: 'patient', defaults: { cancelGraceMs: 20_000 } };
const TIDY = { polite: true, tidyMs: 1000 };

describe('POST /v1/jobs/:id/cancel', () => {
  let headway: Headway;
  let queue: Queue;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 2,
      env: {
        QUEUE_NAME: 'shared',
        WORKER_CONCURRENCY: '4',
        JOBS_DIR: jobsDir('stubborn', 'flaky', PATIENT),
      },
    });
    queue = new Queue('shared', { connection: headway.connection, prefix: '{headway}' });
  });
  afterAll(async () => {
    await queue.close();
    await headway.stop();
  });

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const body = async (response: Response) => (await response.json()) as Record<string, unknown>;

  it.each([
    ['delayed', { delayMs: 300_000 }],
    ['delayed with a priority', { delayMs: 300_000, priority: 5 }],
  ])('ends a %s job immediately: it does not run', async (_what, options) => {
    const job = await headway.client.start('stubborn', { polite: true }, options);
    const stream = await watch(job);
    const response = await headway.client.cancel(job);
    expect(response.status).toBe(200);
    expect(await body(response)).toMatchObject({ id: job.id, state: 'cancelled', attempt: 0 });
    await stream.ended;
    expect(stream.names()).toEqual(['delayed', 'cancelled']);
    expect(stream.events.at(-1)!.data).toMatchObject({ jobId: job.id, attempt: 0, reason: 'requested' });
    expect(await body(await headway.client.get(job))).toMatchObject({ state: 'cancelled' });
    expect((await headway.client.result(job)).status).toBe(409);
    expect(await queue.getJobState(job.id)).toBe('failed');
    expect(await queue.getActiveCount()).toBe(0);
  });

  it.each([
    ['waiting', {}],
    ['prioritized', { priority: 3 }],
  ])('ends a %s job, even while its queue is paused', async (state, options) => {
    await queue.pause();
    const job = await headway.client.start('stubborn', { polite: true }, options);
    expect((await body(await headway.client.get(job))).state).toBe(state);
    const stream = await watch(job);
    expect((await headway.client.cancel(job)).status).toBe(200);
    await stream.ended;
    await queue.resume();
    expect(stream.names()).toEqual(['waiting', 'queue', 'cancelled']);
    expect(await queue.getActiveCount()).toBe(0);
  });

  it('stops an active job in any process within 250 ms; the job can clean up, and is not retried', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 6 }, () => headway.client.start('patient', TIDY, { attempts: 3 })),
    );
    const streams = await Promise.all(jobs.map(watch));
    await Promise.all(streams.map((stream) => stream.waitFor('progress')));
    const delays: number[] = [];
    for (const [i, job] of jobs.entries()) {
      const called = Date.now();
      const response = await headway.client.cancel(job);
      expect(response.status).toBe(202);
      expect(await body(response)).toMatchObject({ state: 'active', cancelling: true });
      const { data } = await streams[i]!.waitFor('log');
      expect(data.message).toBe('stopping: cancel');
      // The time of the worker's log line; both times come from this machine's clock.
      delays.push(data.at - called);
    }
    // On a busy machine, some of them take longer.
    expect(delays.sort((a, b) => a - b)[2], `${delays}`).toBeLessThan(250);
    for (const stream of streams) {
      await stream.ended;
      expect(stream.names().filter((name) => name !== 'progress')).toEqual([
        'waiting',
        'active',
        'log',
        'log',
        'cancelled',
      ]);
      expect(stream.names().at(-1)).toBe('cancelled');
    }
    expect(await queue.getDelayedCount()).toBe(0);
  });

  it('ends a job that ignores its signal after its grace time, and drops its later reports', async () => {
    const job = await headway.client.start('stubborn', { polite: false, lastsMs: 1500 });
    const stream = await watch(job);
    await stream.waitFor('progress');
    await headway.client.cancel(job);
    const asked = await stream.waitFor(({ event, data }) => event === 'queue' && data.cancelling);
    expect(asked.data).toEqual({
      jobId: job.id,
      attempt: 1,
      paused: false,
      noWorker: false,
      cancelling: true,
      at: expect.any(Number),
    });
    // A viewer that connects now gets the event too.
    const late = await watch(job);
    await late.waitFor(({ event, data }) => event === 'queue' && data.cancelling);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
    // The abandoned run ends before the worker's next job does.
    const next = await headway.client.start('steps', { count: 10, intervalMs: 150 });
    await (await watch(next)).ended;
    expect(await body(await headway.client.get(job))).toMatchObject({ state: 'cancelled' });
    const again = await watch(job);
    await again.ended;
    expect(again.events.map(({ data }) => data.message)).not.toContain('done after all');
    expect(again.names().at(-1)).toBe('cancelled');
  });

  it('is idempotent, and returns 409 after the end', async () => {
    const job = await headway.client.start('patient', TIDY);
    const stream = await watch(job);
    await stream.waitFor('progress');
    const answers = await Promise.all(Array.from({ length: 5 }, () => headway.client.cancel(job)));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    // The response has the same form as that of GET.
    expect(await body(answers[0]!)).toMatchObject({ cancelling: true, progress: { attempt: 1 } });
    await stream.ended;
    const late = await headway.client.cancel(job);
    expect([late.status, (await body(late)).state]).toEqual([200, 'cancelled']);
    expect(stream.names().filter((name) => name === 'cancelled')).toHaveLength(1);

    const done = await headway.client.start('steps', { count: 0, intervalMs: 0 });
    await (await watch(done)).ended;
    const refused = await headway.client.cancel(done);
    expect(refused.status).toBe(409);
    expect(await body(refused)).toMatchObject({
      code: 'already-finished',
      detail: 'The job has already completed.',
    });
    expect(await body(await headway.client.get(done))).toMatchObject({ state: 'completed' });

    const failed = await headway.client.start('steps', { count: 1, intervalMs: 0, failAt: 1 });
    await (await watch(failed)).ended;
    expect((await headway.client.cancel(failed)).status).toBe(409);
    expect(await body(await headway.client.get(failed))).toMatchObject({ state: 'failed' });
  });

  it('returns 404 without access to the job, and 405 for GET', async () => {
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 300_000 });
    const url = `${headway.api.url}${job.links.cancel}`;
    expect((await fetch(url, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${url}?token=${job.token}`)).status).toBe(405);
    expect(await body(await headway.client.get(job))).toMatchObject({ state: 'delayed' });
    await headway.client.cancel(job);
  });

  it('reaches a worker that had lost its connection to Redis when the request arrived', async () => {
    const job = await headway.client.start('stubborn', { polite: true });
    const stream = await watch(job);
    await stream.waitFor('progress');
    // The worker has lost its subscription when the request arrives.
    await headway.connection.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await headway.client.cancel(job);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
  });

  describe('with a time limit', () => {
    it.each([
      ['stops a job that takes longer', true],
      ['ends a job that ignores its signal', false],
    ])('%s with the code timeout', async (_what, polite) => {
      const job = await headway.client.start('stubborn', { polite }, { timeoutMs: 200, attempts: 3 });
      const stream = await openStream(headway.client.events(job), { token: job.token });
      await stream.ended;
      const error = { code: 'timeout', message: 'exceeded its time limit of 200 ms' };
      expect(stream.events.at(-1)).toMatchObject({ event: 'failed', data: { error } });
      expect(stream.names().filter((name) => name === 'active')).toHaveLength(1);
      expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'failed', error });
    });

    it('does not affect a job that is fast enough', async () => {
      const job = await headway.client.start('steps', { count: 2, intervalMs: 1 }, { timeoutMs: 5000 });
      const stream = await openStream(headway.client.events(job), { token: job.token });
      await stream.ended;
      expect(stream.names().at(-1)).toBe('completed');
    });
  });
});

describe('the cancelling of a job', () => {
  let other: Headway;
  let worker: TestProcess;
  beforeAll(async () => {
    other = await startHeadway({
      workers: 0,
      env: {
        LOCK_DURATION_MS: '1000',
        STALLED_INTERVAL_MS: '500',
        JOBS_DIR: jobsDir('stubborn', PATIENT),
      },
    });
  });
  afterAll(async () => {
    await worker.kill();
    await other.stop();
  });

  // The first one: there is no worker yet.
  it('ends a job of a worker without support for it, when the job fails and would be retried', async () => {
    const job = await other.client.start(
      'steps',
      { count: 1, intervalMs: 1 },
      { attempts: 3, backoff: { type: 'fixed', delayMs: 60_000 } },
    );
    const stream = await openStream(other.client.events(job), { token: job.token });
    let fail: (error: Error) => void = () => {};
    let runs = 0;
    const run = (): Promise<never> =>
      new Promise((_resolve, reject) => {
        runs++;
        fail = reject;
      });
    const connection = other.connection.duplicate();
    const worker = new Worker('steps', run, {
      connection,
      prefix: '{headway}',
    });
    await stream.waitFor('active');
    expect((await other.client.cancel(job)).status).toBe(202);
    fail(new Error('of its own'));
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
    expect(runs).toBe(1);
    await worker.close();
    connection.disconnect();
  });

  it('does not undo a retry by hand, if the previous run did not obey', async () => {
    const job = await other.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(other.client.events(job), { token: job.token });
    // This worker does not support cancelling.
    let fail!: (error: Error) => void;
    const plain = new Worker('steps', () => new Promise((_resolve, reject) => (fail = reject)), {
      connection: { host: '127.0.0.1', port: other.redis.port },
      prefix: '{headway}',
    });
    await stream.waitFor('active');
    expect((await other.client.cancel(job)).status).toBe(202);
    fail(new Error('no luck'));
    await stream.ended;
    expect(stream.names().at(-1)).toBe('failed');
    await plain.close();
    worker = await startWorker(other.env);
    expect((await other.client.retry(job)).status).toBe(202);
    const again = await openStream(other.client.events(job), { token: job.token });
    await again.ended;
    expect(again.names().at(-1)).toBe('completed');
  });

  describe('whose worker dies meanwhile', () => {
    let first: TestStream;
    let second: TestStream;
    let queue: Queue;
    beforeAll(async () => {
      const watch = (job: StartedJob): Promise<TestStream> =>
        openStream(other.client.events(job), { token: job.token });
      const data = { polite: true, tidyMs: 60_000 };
      const jobs = [
        await other.client.start('stubborn', data, { attempts: 5 }),
        await other.client.start('patient', data),
      ];
      [first, second] = (await Promise.all(jobs.map(watch))) as [TestStream, TestStream];
      await Promise.all([first, second].map((stream) => stream.waitFor('progress')));
      queue = new Queue('patient', { connection: other.connection, prefix: '{headway}' });
      await queue.pause();
      // The first job has a short grace time: its worker dies right after it was told.
      for (const job of jobs.reverse()) await other.client.cancel(job);
      await first.waitFor('log');
      await worker.kill('SIGKILL');
      worker = await startWorker(other.env);
    });
    afterAll(() => queue.close());

    it('ends the job: the next worker does not run it', async () => {
      await first.ended;
      expect(first.names().at(-1)).toBe('cancelled');
      expect(first.events.filter(({ event, data }) => event === 'log' && data.attempt > 1)).toEqual([]);
    });

    it('ends the job, even if no worker takes jobs of its kind', async () => {
      await second.ended;
      expect(second.events.at(-1)).toMatchObject({ event: 'cancelled', data: { attempt: 1 } });
    });
  });
});
