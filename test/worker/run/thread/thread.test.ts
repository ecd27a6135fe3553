import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../../support/client.js';
import { type Headway, startHeadway } from '../../../support/headway.js';
import { jobsDir } from '../../../support/jobs.js';
import { userToken } from '../../../support/schedules.js';
import { openStream, type TestStream } from '../../../support/sse.js';
import { bearer } from '../../../support/tokens.js';

const JOBS_DIR = jobsDir('burn', 'ends', { file: 'burn', name: 'hasty', defaults: { cancelGraceMs: 0 } });

describe('a job in a thread', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { JOBS_DIR, WORKER_THREADS: '1', LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500' },
    });
  });
  afterAll(() => headway.stop());

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  async function start(name: string, data: unknown, options?: Record<string, unknown>) {
    const job = await headway.client.start(name, data, options);
    return { job, stream: await watch(job) };
  }
  const end = ({ events }: TestStream) => events.at(-1)!;

  it('does not block other jobs or lose its lock when it does not yield', async () => {
    const { stream } = await start('burn', { ms: 2500, sleeps: true });
    await stream.waitFor('active');
    const { stream: steps } = await start('steps', { count: 30, intervalMs: 50 });
    await steps.ended;
    expect(end(steps).event).toBe('completed');
    expect(stream.names()).toEqual(['waiting', 'active']);
    const times = steps.events.filter(({ event }) => event === 'progress').map(({ data }) => data.at);
    expect(Math.max(...times.slice(1).map((at, i) => at - times[i]!))).toBeLessThan(1000);
    await stream.ended;
    // Runs more than twice as long as the lock lasts, in one attempt.
    expect(stream.names()).toEqual(['waiting', 'active', 'completed']);
  });

  it('publishes its progress although it does not yield', async () => {
    const { stream } = await start('burn', { ms: 1000, reports: true });
    await stream.ended;
    const seen = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.length).toBeLessThan(20);
    expect(seen.map(({ percent }) => percent)).toEqual(
      seen.map(({ percent }) => percent).sort((a, b) => a - b),
    );
    expect(end(stream).data.result.rounds).toBeGreaterThan(100_000);
  });

  it('is terminated when it ignores a cancel, and the next job gets a thread', async () => {
    const { job, stream } = await start('burn', { ms: 60_000, sleeps: true });
    await stream.waitFor('active');
    const { stream: next } = await start('burn', { ms: 10 });
    const called = Date.now();
    await headway.client.cancel(job);
    await stream.ended;
    expect(end(stream).event).toBe('cancelled');
    // The grace time of the job is 400 ms.
    expect(end(stream).data.at - called).toBeLessThan(2000);
    await next.ended;
    expect(end(next)).toMatchObject({ event: 'completed', data: { result: { rounds: expect.any(Number) } } });
  });

  it('stops waiting for a thread when it is cancelled; its time limit starts with the thread', async () => {
    const busy = await start('burn', { ms: 60_000, sleeps: true });
    await busy.stream.waitFor('active');
    const given = await start('ends', { how: 'well' });
    await given.stream.waitFor('active');
    await headway.client.cancel(given.job);
    await given.stream.ended;
    expect(given.stream.names()).toEqual(['waiting', 'active', 'cancelled']);
    const patient = await start('ends', { how: 'well' }, { timeoutMs: 1000 });
    await patient.stream.waitFor('active');
    const { stream: longer } = await start('steps', { count: 24, intervalMs: 50 });
    await longer.ended;
    await headway.client.cancel(busy.job);
    await patient.stream.ended;
    expect(patient.stream.names()).toEqual(['waiting', 'active', 'log', 'partial', 'completed']);
  });

  it('notices a cancel when it reports, without yielding', async () => {
    const { job, stream } = await start('burn', { ms: 60_000, reports: true });
    await stream.waitFor('progress');
    await headway.client.cancel(job);
    await stream.ended;
    // A thread that did not notice the cancel would be terminated without this report.
    expect((await stream.waitFor('log')).data.message).toBe('stopping: cancel');
    expect(end(stream).event).toBe('cancelled');
  });

  it('can be cancelled at any time, even while its thread starts, without harm to the process', async () => {
    for (let i = 0; i < 5; i++) {
      const { job, stream } = await start('hasty', { ms: 60_000, sleeps: true });
      await stream.waitFor('active');
      await headway.client.cancel(job);
      await stream.ended;
      expect(stream.names()).toEqual(['waiting', 'active', 'cancelled']);
    }
    const { stream } = await start('hasty', { ms: 1 });
    await stream.ended;
    expect(end(stream).event).toBe('completed');
    expect(headway.workers[0]!.child.exitCode).toBeNull();
  });

  it('is stopped at its time limit', async () => {
    const { stream } = await start('burn', { ms: 60_000, sleeps: true }, { timeoutMs: 200 });
    await stream.ended;
    expect(end(stream)).toMatchObject({ event: 'failed', data: { error: { code: 'timeout' } } });
  });

  it('gets its data as parsed by the schema, and creates files', async () => {
    const { job, stream } = await start('ends', { how: 'file', at: 'there' });
    await stream.ended;
    expect(end(stream)).toMatchObject({
      event: 'completed',
      data: { result: { path: '/there', file: { name: 'a.txt', size: 11 } } },
    });
    expect(await (await headway.client.result(job, '?file=file')).text()).toBe('of a thread');
  });

  it.each([
    ['error', { message: 'too far' }, 2],
    ['permanent', { message: 'it will never work', code: 'permanent' }, 1],
    ['unrecoverable', { message: 'no use' }, 1],
    ['no such file', { message: expect.stringMatching(/^The file does not exist/), code: 'permanent' }, 1],
    [
      'uncloneable',
      { message: expect.stringMatching(/^the result cannot be sent from its thread: .*cloned/) },
      2,
    ],
    ['exit', { message: 'the thread of the job exited with code 3' }, 2],
    ['uncaught', { message: 'thrown at nobody' }, 2],
  ])('fails with its error and keeps its reports when it ends with "%s"', async (how, error, attempts) => {
    const { stream } = await start('ends', { how }, { attempts: 2 });
    await stream.ended;
    const one = ['active', 'log', 'partial'];
    expect(stream.names()).toEqual([
      'waiting',
      ...one,
      ...(attempts === 2 ? ['retrying', ...one] : []),
      'failed',
    ]);
    expect(end(stream).data.error).toEqual(error);
    // The process still works.
    expect(headway.workers[0]!.child.exitCode).toBeNull();
  });
});

describe('a thread that allocates without end', () => {
  // Code that neither yields nor calls `ctx` can be watched since Node 22.16.
  const canBeWatched = 'getHeapStatistics' in Worker.prototype;
  const ways = ['memory', 'buffers', ...(canBeWatched ? ['busy buffers'] : [])];

  it('fails its own job without a retry, and leaves its neighbours running', async () => {
    const headway = await startHeadway({ env: { JOBS_DIR, WORKER_THREADS: '2', JOB_TIMEOUT_MS: '500' } });
    const user = bearer(await userToken(headway, 'ada'));
    const start = async (name: string, data: unknown, options = {}) => {
      const response = await headway.client.post({ name, data, options }, user);
      const job = (await response.json()) as StartedJob;
      return { job, stream: await openStream(headway.client.events(job), { token: job.token }) };
    };
    const inThread = await start('ends', { how: 'wait' });
    const steps = { count: 1_000_000, intervalMs: 3 };
    const inProcess = await start('steps', steps, { timeoutMs: 60_000 });
    await Promise.all([inThread.stream.waitFor('partial'), inProcess.stream.waitFor('progress')]);
    for (const how of ways) {
      const { job, stream } = await start('ends', { how });
      await stream.ended;
      // The definition allows three attempts.
      expect(stream.names()).toEqual(['waiting', 'active', 'log', 'partial', 'failed']);
      const error = { code: 'memory', message: 'exceeded its memory limit of 48 MiB' };
      expect(stream.events.at(-1)!.data.error).toEqual(error);
      expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'failed', error });
    }
    // This kind has no time limit of its own.
    const { stream: late } = await start('steps', { count: 1, intervalMs: 60_000 });
    await late.ended;
    expect(late.events.at(-1)!.data.error).toEqual({
      code: 'timeout',
      message: 'exceeded its time limit of 500 ms',
    });
    for (const { job, stream } of [inThread, inProcess]) {
      expect((await headway.client.cancel(job)).ok).toBe(true);
      await stream.ended;
      expect(stream.names().filter((name) => name === 'active')).toHaveLength(1);
      expect(stream.names().at(-1)).toBe('cancelled');
    }
    expect(headway.workers[0]!.child.exitCode).toBeNull();
    await headway.stop();
  });
});
