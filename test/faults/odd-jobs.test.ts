import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
/** More jobs than one round of any loop takes. */
const MANY = 250;

describe('a job whose data in Redis is broken', () => {
  let headway: Headway;
  let bullmq: PlainBullMq;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { ADMIN_TOKEN } });
  });
  beforeEach(() => {
    bullmq = plainBullMq(headway);
  });
  afterEach(() => bullmq.close());
  afterAll(() => headway.stop());

  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const key = (suffix: string): string => `{headway}:steps:${suffix}`;
  const get = (path: string): Promise<Response> =>
    fetch(`${headway.api.url}${path}`, { headers: { Authorization: `Bearer ${ADMIN_TOKEN}` } });
  /** Puts a string where the job's channel should be, so that publishing fails. */
  const breakChannel = (jobId: string): Promise<unknown> =>
    headway.connection.set(`headway:{job:${jobId}}`, 'no hash');

  // The first one: there are no other jobs yet.
  it('is omitted from lists, which show all other jobs', async () => {
    const queue = bullmq.queue('steps');
    const odd: unknown[] = [7, 'x', [], { owner: {}, tags: 'a', ancestors: 'b', metadata: 5, schedule: 3 }];
    for (const [i, headwayOptions] of odd.entries()) {
      await queue.add('steps', {}, { jobId: `odd-${i}`, ...{ headway: headwayOptions } });
    }
    await queue.add('steps', {}, { jobId: 'plain' });
    await queue.add('steps', {}, { jobId: 'slots-broken' });
    const { connection } = headway;
    await until('all jobs are listed', async () => {
      const { jobs } = (await (await get('/v1/jobs')).json()) as { jobs: unknown[] };
      return jobs.length === odd.length + 2;
    });
    await connection.set('headway:{job:steps..slots-broken}:slots', 'no hash');
    const response = await get('/v1/jobs');
    expect(response.status).toBe(200);
    const { jobs } = (await response.json()) as { jobs: Array<{ id: string }> };
    expect(jobs.map(({ id }) => id).sort()).toEqual(
      ['odd-0', 'odd-1', 'odd-2', 'odd-3', 'plain'].map((id) => `steps..${id}`),
    );
    for (const path of ['', '?tag=a', '?name=steps', '?state=waiting']) {
      expect((await get(`/v1/jobs${path}`)).status).toBe(200);
    }
  });

  it('does not stop the queue follower, and is logged once', async () => {
    const { client, connection, api } = headway;
    const queue = bullmq.queue('steps');
    // Jobs with an unreadable result, a broken channel or no hash, and a queue whose event stream is not a stream.
    await connection.set('{headway}:checksum:events', 'no stream');
    await queue.add('steps', {}, { jobId: 'broken', delay: 60_000 });
    await breakChannel('steps..broken');
    await connection.rpush(key('list'), 'no hash');
    for (let i = 0; i < 3; i++) {
      for (const jobId of ['broken', 'list', 'gone', 'a b', '']) {
        await connection.xadd(
          key('events'),
          '*',
          'event',
          'completed',
          'jobId',
          jobId,
          'returnvalue',
          '{"a":',
        );
      }
      const job = await client.start('steps', { count: 1, intervalMs: 1 });
      const stream = await watch(job);
      await stream.waitFor('waiting');
      const worker = bullmq.worker('steps', async () => ({ steps: 1 }));
      // The recheck of watched jobs, every 30 s, would be later.
      await stream.waitFor('completed', 10_000);
      await worker.close();
    }
    const lines = api
      .output()
      .split('\n')
      .filter((line) => line.includes('steps..broken'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('WRONGTYPE');
  });

  it('completes with a null result when its result is not valid JSON', async () => {
    const { client, connection } = headway;
    for (const result of ['{"a":', '['.repeat(100_000) + ']'.repeat(100_000)]) {
      const job = await client.start('steps', { count: 1, intervalMs: 1 });
      const stream = await watch(job);
      await stream.waitFor('waiting');
      await connection
        .multi()
        .lrem(key('wait'), 1, job.id)
        .hset(key(job.id), { returnvalue: result, finishedOn: Date.now(), ats: 1, processedOn: 1 })
        .zadd(key('completed'), Date.now(), job.id)
        .xadd(key('events'), '*', 'event', 'completed', 'jobId', job.id, 'returnvalue', result)
        .exec();
      const { data } = await stream.waitFor('completed', 10_000);
      expect(data.result).toBeNull();
    }
  });

  it('delays neither the expiry of other jobs nor the audit of finished ones', async () => {
    const { client, connection } = headway;
    const queue = bullmq.queue('steps');
    await queue.addBulk(
      Array.from({ length: MANY }, (_, i) => ({ name: 'steps', data: {}, opts: { jobId: `bad-${i}` } })),
    );
    const bad = Array.from({ length: MANY }, (_, i) => `bad-${i}`);
    for (const id of bad) await connection.hset(key(id), 'data', '{"a":');
    await connection.zadd('headway:expiry', ...bad.flatMap((id) => [1, `steps..${id}`]));
    // Jobs that finished before there was an index.
    const old = Array.from({ length: MANY }, (_, i) => `old-${i}`);
    for (const id of old) {
      await connection.hset(key(id), { name: 'steps', timestamp: 1, finishedOn: Date.now(), opts: '{}' });
      await connection.zadd(key('completed'), Date.now(), id);
    }
    await connection.zadd(key('failed'), 1, 'job-without-hash');
    // An audit begins when a process has started.
    await headway.api.kill();
    headway.api = await startApi({ ...headway.env, PORT: new URL(headway.api.url).port });
    const job = await client.start('steps', { count: 1, intervalMs: 1 }, { ttlMs: 1 });
    const stream = await watch(job);
    const { data } = await stream.waitFor('failed', 15_000);
    expect(data.error.code).toBe('expired');
    await until('all finished jobs are indexed', async () => {
      const known = await connection.hmget('{headway}.index', ...old.map((id) => `steps..${id}`));
      return known.every((record) => record !== null);
    });
  });
});
