import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startWorker } from '../support/processes.js';
import { randomOfTest } from '../support/random-of-test.js';
import { openStream, type ReceivedEvent } from '../support/sse.js';
import { until } from '../support/until.js';

describe('when Redis becomes unavailable', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      appendOnly: true,
      env: {
        JOBS_DIR: jobsDir('steered'),
        LOCK_DURATION_MS: '5000',
        MAX_STALLS: '100',
        PROGRESS_INTERVAL_MS: '20',
        SHUTDOWN_GRACE_MS: '200',
      },
    });
  });
  afterAll(() => headway.stop());

  it('a job that continues meanwhile is published when Redis is back', async () => {
    const { client, redis, workers } = headway;
    const job = await client.start('steps', { count: 40, intervalMs: 50 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor(({ data }) => data.current >= 5);
    await redis.kill('SIGKILL');
    // Wait until the job has reached its end without Redis.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await redis.restart();
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'progress' && name !== 'log')).toEqual([
      'waiting',
      'active',
      'completed',
    ]);
    expect(stream.events.at(-2)!.data).toMatchObject({ percent: 100, attempt: 1 });
    // The outage has one line, not one for each queue and second.
    const output = workers[0]!.output();
    expect(output).toContain('Redis is unavailable');
    expect(output.split('a BullMQ worker reported an error').length - 1).toBeLessThan(7);
  });

  it('viewers of a running job stay connected and miss nothing (restart on the append-only file)', async () => {
    const { connection, client, redis } = headway;
    const job = await client.start('steered', { turns: 'turns' });
    const stream = await openStream(client.events(job), { token: job.token });
    for (const turn of ['log before', '40']) await connection.lpush('turns', turn);
    await stream.waitFor('progress');
    await redis.kill('SIGKILL');
    await redis.restart();
    for (const turn of ['log after', '60', 'end']) await connection.lpush('turns', turn);
    await stream.ended;
    expect(stream.events.map(({ event, data }) => (event === 'log' ? data.message : event))).toEqual([
      'waiting',
      'active',
      'before',
      'progress',
      'after',
      'progress',
      'completed',
    ]);
    expect(stream.events.map(({ data }) => data.percent).filter(Boolean)).toEqual([40, 60]);
  });

  it('jobs that Redis has lost together with their channels end for their viewers (restart on an older copy)', async () => {
    const { connection, client, redis } = headway;
    const restore = redis.keepCopy();
    const active = await client.start('steered', { turns: 'lost' });
    const waiting = await client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 600_000 });
    const watch = (job: StartedJob, lastEventId?: string, query = '') =>
      openStream(client.events(job) + query, { token: job.token, lastEventId });
    const streams = await Promise.all([
      watch(active),
      watch(active),
      watch(waiting),
      watch(waiting, undefined, '?retries=follow'),
    ]);
    await connection.lpush('lost', '40');
    await Promise.all(streams.map((stream, i) => stream.waitFor(i < 2 ? 'progress' : 'delayed')));
    await redis.kill('SIGKILL');
    restore();
    await redis.restart();
    const isEnd = ({ event }: ReceivedEvent): boolean => ['completed', 'failed', 'cancelled'].includes(event);
    for (const stream of streams) {
      await stream.waitFor(isEnd);
      expect(stream.events.slice(-2)).toMatchObject([
        { event: 'reset' },
        { event: 'cancelled', data: { reason: 'removed' } },
      ]);
    }
    // Whoever comes back has seen the end, or gets it.
    await streams[0]!.ended;
    expect((await watch(active, streams[0]!.events.at(-1)!.id)).status).toBe(204);
    const late = await watch(waiting);
    await late.ended;
    expect(late.names()).toEqual(['cancelled']);
    // The worker still runs the job. What it reports comes after the end.
    for (const turn of ['log too late', '60', 'end']) await connection.lpush('lost', turn);
    const next = await client.start('steered', { turns: 'next' });
    await connection.lpush('next', 'end');
    const last = await watch(next);
    await last.ended;
    expect(last.names().at(-1)).toBe('completed');
    for (const stream of streams) expect(stream.events.filter(isEnd)).toHaveLength(1);
    expect(streams[3]!.events.at(-1)!.event).toBe('cancelled');
    for (const stream of streams) stream.close();
  });

  it('requests get 503 with a problem, and succeed as soon as Redis is back', async () => {
    const { client, redis, api } = headway;
    const body = { name: 'steps', data: { count: 1, intervalMs: 1 } };
    const job = await client.start('steps', body.data);
    await redis.kill('SIGKILL');
    await until('the API has noticed', async () => (await fetch(`${api.url}/readyz`)).status === 503);
    for (const response of await Promise.all([client.post(body), client.get(job), client.result(job)])) {
      expect(response.status).toBe(503);
      expect(response.headers.get('content-type')).toMatch('application/problem+json');
      expect(response.headers.get('retry-after')).toBe('2');
      expect(await response.json()).toMatchObject({ code: 'unavailable' });
    }
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    await redis.restart();
    await until('the API is ready', async () => (await fetch(`${api.url}/readyz`)).status === 200);
    expect((await client.post(body)).status).toBe(202);
  });

  it('requests get 503 while Redis is frozen (SIGSTOP)', async () => {
    const { client, redis, api } = headway;
    redis.signal('SIGSTOP');
    const response = await client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } });
    expect(response.status).toBe(503);
    redis.signal('SIGCONT');
    await until('the API is ready', async () => (await fetch(`${api.url}/readyz`)).status === 200);
    const job = await client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  });

  it('again and again under load, every job ends once and no viewer hangs', async () => {
    // It also runs stalled jobs, should there be any.
    const quick = { LOCK_DURATION_MS: '2000', STALLED_INTERVAL_MS: '1000' };
    const second = await startWorker({ ...headway.env, ...quick, WORKER_JOBS: 'steps' });
    onTestFinished(() => second.stop());
    const { client, redis } = headway;
    const jobs = await Promise.all(
      Array.from({ length: 12 }, () => client.start('steps', { count: 100, intervalMs: 20 })),
    );
    const streams = await Promise.all(
      jobs.map((job) => openStream(client.events(job), { token: job.token })),
    );
    const random = randomOfTest();
    for (let round = 0; round < 4; round++) {
      await new Promise((resolve) => setTimeout(resolve, random.between(300, 1000)));
      await redis.kill('SIGKILL');
      await redis.restart();
    }
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { names, events } of streams) {
      expect(names().filter((name) => name === 'completed')).toHaveLength(1);
      expect(names().at(-1)).toBe('completed');
      const ids = events.flatMap(({ id }) => id ?? []);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  // The last one: the worker has ended, and Redis stays away.
  it('a worker still stops when it is asked to', async () => {
    const { client, redis, workers } = headway;
    const job = await client.start('steps', { count: 1000, intervalMs: 100 });
    await (await openStream(client.events(job), { token: job.token })).waitFor('progress');
    await redis.kill('SIGKILL');
    const asked = Date.now();
    await workers[0]!.stop();
    // In this time, the worker tries to hand jobs back and gives up.
    expect(Date.now() - asked).toBeLessThan(10_000);
    expect(workers[0]!.child.signalCode).toBeNull();
  });
});
