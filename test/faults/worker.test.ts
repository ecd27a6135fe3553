import { afterEach, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { randomOfTest } from '../support/random-of-test.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const QUICK = { LOCK_DURATION_MS: '1000', STALLED_INTERVAL_MS: '500', PROGRESS_INTERVAL_MS: '20' };

describe('when a worker dies', () => {
  let headway: Headway;
  afterEach(() => headway.stop());

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });

  it('its job is shown as stalled, and another worker runs it from the start', async () => {
    headway = await startHeadway({ env: { ...QUICK, JOBS_DIR: jobsDir('steered') } });
    const { connection, env, workers } = headway;
    const job = await headway.client.start('steered', { turns: 'turns' });
    const stream = await watch(job);
    await connection.lpush('turns', '80');
    await stream.waitFor('progress');
    await workers[0]!.kill('SIGKILL');
    workers.push(await startWorker(env));
    await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2);
    await connection.lpush('turns', '5');
    await stream.waitFor(({ event, data }) => event === 'progress' && data.attempt === 2);
    await connection.lpush('turns', 'end');
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

  it('a job that has stalled too often fails, with a reason', async () => {
    headway = await startHeadway({
      env: { ...QUICK, MAX_STALLS: '0', JOBS_DIR: jobsDir('steered') },
    });
    const job = await headway.client.start('steered', { turns: 'turns' });
    const stream = await watch(job);
    await stream.waitFor('active');
    await headway.workers[0]!.kill('SIGKILL');
    headway.workers.push(await startWorker(headway.env));
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: { error: { message: expect.stringMatching(/stalled/) } },
    });
  });

  it('at random moments, every job ends once, and viewers see attempts and progress only rise', async () => {
    headway = await startHeadway({
      workers: 2,
      env: { ...QUICK, MAX_STALLS: '1000', WORKER_CONCURRENCY: '3' },
    });
    const { client, workers, env } = headway;
    const jobs = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        client.start('steps', { count: 10, intervalMs: 30, ...(i % 4 === 3 ? { failAt: 5 } : {}) }),
      ),
    );
    const streams = await Promise.all(jobs.map(watch));
    const random = randomOfTest();
    let done = false;
    const killing = (async () => {
      for (let round = 0; round < 12 && !done; round++) {
        await new Promise((resolve) => setTimeout(resolve, random.between(100, 500)));
        await workers[round % 2]!.kill('SIGKILL');
        workers[round % 2] = await startWorker(env);
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
      let attempt = 0;
      let percent = 0;
      for (const { event, data } of events) {
        expect(data.attempt).toBeGreaterThanOrEqual(attempt);
        if (data.attempt > attempt) percent = 0;
        attempt = data.attempt;
        if (event !== 'progress') continue;
        expect(data.percent).toBeGreaterThanOrEqual(percent);
        percent = data.percent;
      }
    }
  });

  it('while its jobs end at once, each start is published before its end, and both once', async () => {
    headway = await startHeadway({
      workers: 2,
      env: { ...QUICK, MAX_STALLS: '1000', JOBS_DIR: jobsDir('plain') },
    });
    const { client, workers, env } = headway;
    const random = randomOfTest();
    const streams: TestStream[] = [];
    for (let round = 0; round < 4; round++) {
      const jobs = await Promise.all(Array.from({ length: 20 }, () => client.start('plain', {})));
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 30)));
      await workers[round % 2]!.kill('SIGKILL');
      streams.push(...(await Promise.all(jobs.map(watch))));
      workers[round % 2] = await startWorker(env);
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

  it('after it was asked to stop, the next worker takes its jobs at once', async () => {
    headway = await startHeadway({
      env: { SHUTDOWN_GRACE_MS: '0', JOBS_DIR: jobsDir('steered') },
    });
    const { connection, env, workers } = headway;
    const job = await headway.client.start('steered', { turns: 'turns' });
    const stream = await watch(job);
    await connection.lpush('turns', '80');
    await stream.waitFor('progress');
    await workers[0]!.stop();
    workers.push(await startWorker(env));
    // The lock of 30 s has not expired by then.
    await stream.waitFor(({ event, data }) => event === 'active' && data.attempt === 2, 10_000);
    await connection.lpush('turns', 'end');
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'progress', 'waiting', 'active', 'completed']);
  });

  it('after its job has ended and before it publishes the end, viewers still get it', async () => {
    headway = await startHeadway({ workers: 0, env: QUICK });
    const { client, connection } = headway;
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await watch(job);
    await stream.waitFor('waiting');
    // A plain BullMQ worker completes the job, publishes nothing and stops.
    const { Worker } = await import('bullmq');
    const worker = new Worker('steps', undefined, {
      connection: { host: '127.0.0.1', port: headway.redis.port },
      prefix: '{headway}',
    });
    const token = 'dead';
    const taken = await until('the job can be taken', () => worker.getNextJob(token));
    await taken.moveToCompleted({ steps: 1 }, token, false);
    await worker.close();
    // The end comes from BullMQ's events: the recheck of watched jobs, every 30 s, would be later.
    await stream.waitFor('completed', 15_000);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { result: { steps: 1 } } });
    expect(connection.status).toBe('ready');
  });

  it.each([
    ['a new viewer', 'new'],
    ['a viewer that is connected when Redis comes back', 'connected'],
  ])('shows %s the end of a job that ended while no process followed the queues', async (_what, kind) => {
    headway = await startHeadway({ workers: 0, env: QUICK });
    const { client, connection } = headway;
    // The lease belongs to a dead process, so no process follows the queues.
    await connection.set('headway:{bridge}:lease', 'worker:gone');
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    const there = await watch(job);
    await there.waitFor('waiting');
    const { Worker } = await import('bullmq');
    const worker = new Worker('steps', undefined, {
      connection: { host: '127.0.0.1', port: headway.redis.port },
      prefix: '{headway}',
    });
    const token = 'dead';
    const taken = await until('the job can be taken', () => worker.getNextJob(token));
    await taken.moveToCompleted({ steps: 1 }, token, false);
    await worker.close();
    if (kind === 'connected') await connection.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const viewer = kind === 'connected' ? there : await watch(job);
    // The recheck of watched jobs, every 30 s, would be later.
    await viewer.waitFor('completed', 15_000);
    await viewer.ended;
    expect(viewer.names().filter((name) => name === 'completed')).toHaveLength(1);
  });
});
