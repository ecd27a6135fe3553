import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const HOUR = 3_600_000;
const FILES_TTL_MS = 60_000;
const STEPS = { count: 1, intervalMs: 0 };

interface MakerResult {
  given: string;
  made: { id: string };
}

describe('a finished job', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        JOBS_DIR: jobsDir('two-files', 'steered', 'flaky'),
        GONE_JOBS_MS: '4000',
        // Shorter than the retention time of some jobs.
        FILES_TTL_MS: String(FILES_TTL_MS),
        KEEP_JOBS_MS: '1000',
      },
    });
  });
  afterAll(() => headway.stop());

  const ended = async (job: StartedJob) => {
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    return stream;
  };
  const status = async (job: StartedJob): Promise<number> => (await headway.client.get(job)).status;
  const gone = (job: StartedJob) => until('it is gone', async () => (await status(job)) === 410);
  const keysOf = (job: StartedJob): Promise<string[]> => headway.connection.keys(`*${job.id}*`);
  const fileOf = (id: string): string => join(headway.env.DATA_DIR!, 'files', id);
  async function make(options: object = {}) {
    const given = await headway.client.upload('given.txt', 'given');
    const job = await headway.client.start('two-files', { given: given.id }, { ...options });
    const result = (await ended(job)).events.at(-1)!.data.result as MakerResult;
    return { job, given: result.given, made: result.made.id };
  }

  it('is kept for its own retention time, then removed completely; 410 has what is still known', async () => {
    const { job, given, made } = await make({ keepMs: 1500 });
    expect(await status(job)).toBe(200);
    expect(existsSync(fileOf(made))).toBe(true);
    await gone(job);
    // A moment after the job, its channel is removed.
    await until('only what is still known is left', async () => (await keysOf(job)).length === 1);
    const calls = [
      headway.client.get(job),
      headway.client.result(job),
      headway.client.result(job, '?file=made'),
      headway.client.cancel(job),
      headway.client.retry(job),
      fetch(headway.client.events(job), { headers: { Authorization: `Bearer ${job.token}` } }),
      fetch(`${headway.client.events(job)}?token=${job.token}&lastEventId=abc-7`),
    ];
    for (const call of calls) {
      const response = await call;
      expect(response.status).toBe(410);
      expect(response.headers.get('content-type')).toMatch('application/problem+json');
      expect(await response.json()).toEqual({
        type: 'urn:headway:problem:gone',
        title: 'No longer available',
        status: 410,
        detail: 'The job has completed and has been removed.',
        instance: expect.stringMatching(`^${job.links.self}`),
        code: 'gone',
        name: 'two-files',
        state: 'completed',
        createdAt: expect.any(Number),
        finishedAt: expect.any(Number),
        attempt: 1,
        requestId: response.headers.get('x-request-id'),
      });
    }
    await until('its file is gone', () => !existsSync(fileOf(made)));
    // A file in the job's data is not removed with the job.
    expect(existsSync(fileOf(given))).toBe(true);
    expect(await keysOf(job)).toEqual([`{headway}.gone:${job.id}`]);
    await until('it is forgotten', async () => (await status(job)) === 404);
    expect(await keysOf(job)).toEqual([]);
  });

  it('is kept for the retention time of its options, its kind or the default, with its log and file', async () => {
    const [long, kind, all] = await Promise.all([
      make({ keepMs: HOUR }),
      make(),
      headway.client.start('steps', STEPS),
    ]);
    await ended(all);
    await Promise.all([gone(kind.job), gone(all)]);
    expect(await status(long.job)).toBe(200);
    const channel = `headway:{job:${long.job.id}}`;
    for (const key of [channel, `${channel}:log`]) {
      expect(await headway.connection.pttl(key)).toBeGreaterThan(HOUR - 60_000);
    }
    // The job's file is kept longer than an upload.
    const { mtimeMs } = statSync(join(fileOf(long.made), 'file.json'));
    expect(mtimeMs + FILES_TTL_MS).toBeGreaterThan(Date.now() + HOUR - 60_000);
    const download = await headway.client.result(long.job, '?file=made');
    expect([download.status, await download.text()]).toEqual([200, 'made']);
  });

  it('counts its retention time from its end: a job that was silent for longer keeps its log', async () => {
    const job = await headway.client.start('steered', { turns: 'silent' });
    await headway.connection.lpush('silent', 'log still here');
    const first = await openStream(headway.client.events(job), { token: job.token });
    await first.waitFor('log');
    // Another job, which ends after that event, is removed once its retention time is over.
    const other = await headway.client.start('steps', STEPS);
    await ended(other);
    await gone(other);
    const late = await openStream(headway.client.events(job), { token: job.token });
    await late.waitFor('log');
    await headway.connection.lpush('silent', 'end');
    for (const stream of [first, late]) {
      await stream.ended;
      expect(stream.names()).toEqual(['waiting', 'active', 'log', 'completed']);
    }
    await gone(job);
  });

  it('leaves its file for another job that uses the file', async () => {
    const { job, made } = await make({ keepMs: 1000 });
    await headway.client.start('checksum', { file: made }, { delayMs: 600_000 });
    await gone(job);
    await until('all leftovers of the job are gone', async () => {
      return (await headway.connection.hlen('{headway}.leftovers')) === 0;
    });
    expect(existsSync(fileOf(made))).toBe(true);
  });

  it('that failed or was cancelled is removed too, and 410 says so', async () => {
    const failed = await headway.client.start('steps', { ...STEPS, failAt: 1 });
    const cancelled = await headway.client.start('steps', STEPS, { delayMs: 600_000 });
    await ended(failed);
    await headway.client.cancel(cancelled);
    for (const [job, state, attempt] of [
      [failed, 'failed', 1],
      [cancelled, 'cancelled', 0],
    ] as const) {
      await gone(job);
      expect(await (await headway.client.get(job)).json()).toMatchObject({ state, attempt, name: 'steps' });
    }
  });

  it('that runs again is not removed', async () => {
    const job = await headway.client.start('steered', { turns: 'keep' });
    await headway.connection.lpush('keep', 'fail');
    await ended(job);
    const again = await headway.client.retry(job);
    expect(again.status).toBe(202);
    const later = await headway.client.start('steps', STEPS, { keepMs: 1500 });
    await ended(later);
    await gone(later);
    expect(await (await headway.client.get(job)).json()).toMatchObject({ state: 'active', attempt: 2 });
    await headway.connection.lpush('keep', 'end');
    const stream = await ended(job);
    expect(stream.names().at(-1)).toBe('completed');
    await gone(job);
  });

  it('is remembered for its owner only', async () => {
    const response = await headway.client.post({ name: 'steps', data: STEPS });
    const visitor = { Cookie: response.headers.getSetCookie()[0]!.split(';')[0]! };
    const job = (await response.json()) as StartedJob;
    const other = await headway.client.start('steps', STEPS);
    await ended(job);
    await gone(job);
    const statusOf = async (headers: Record<string, string>): Promise<number> =>
      (await fetch(`${headway.api.url}${job.links.self}`, { headers })).status;
    expect(await statusOf(visitor)).toBe(410);
    expect(await statusOf({})).toBe(404);
    expect(await statusOf({ Cookie: 'headway_visitor=somebody-else-of-27-letters' })).toBe(404);
    expect(await statusOf({ Authorization: `Bearer ${other.token}` })).toBe(404);
    expect(
      (await fetch(`${headway.api.url}/v1/jobs`, { headers: visitor }).then((r) => r.json())) as object,
    ).toEqual({ jobs: [] });
  });

  it('is not started again by its Idempotency-Key after it was removed', async () => {
    const headers = { 'Idempotency-Key': 'a-job-that-is-not-kept-long' };
    const body = { name: 'steps', data: STEPS };
    const job = (await (await headway.client.post(body, headers)).json()) as StartedJob;
    await ended(job);
    await gone(job);
    const key = (await headway.connection.keys('headway:{idempotency:*'))[0]!;
    // As if the API had died after queuing the job and before recording this under the key.
    await headway.connection.set(key, (await headway.connection.get(key))!.replace(/queued$/, 'claimed'));
    const again = await headway.client.post(body, headers);
    expect(again.status).toBe(202);
    expect(await again.json()).toMatchObject({ id: job.id, state: 'completed' });
    expect(await keysOf(job)).toEqual([`{headway}.gone:${job.id}`]);
  });

  it.each([
    ['options', 999],
    ['options', 366 * 24 * HOUR],
    ['options', '1h'],
  ])('cannot be kept for %s.keepMs = %j', async (_where, keepMs) => {
    const response = await headway.client.post({ name: 'steps', data: STEPS, options: { keepMs } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '/options/keepMs' }] });
  });
});

describe('a day of load, compressed into waves', () => {
  it('leaves no keys in Redis and uses no more memory after each wave', async () => {
    const headway = await startHeadway({
      env: {
        KEEP_JOBS_MS: '1000',
        GONE_JOBS_MS: '1000',
        WORKER_CONCURRENCY: '20',
        WORKER_JOBS: 'steps',
      },
    });
    const { connection, api } = headway;
    const JOBS = 140;
    const events = '{headway}:steps:events';
    /** More keys than there are without jobs. */
    const FEW = 60;
    const holds = async (jobs: StartedJob[]): Promise<boolean> => {
      const keys = (await connection.keys('*')).join('\n');
      return jobs.some(({ id }) => keys.includes(id));
    };
    async function wave(): Promise<void> {
      const jobs = Array.from({ length: JOBS }, (_, i) => ({
        name: 'steps',
        data: { count: 3, intervalMs: 0, ...(i % 10 === 0 ? { failAt: 2 } : {}) },
        options: { tags: ['load', `tag-${i % 5}`], ...(i % 7 === 0 ? { keepMs: 1500 } : {}) },
      }));
      const response = await fetch(`${api.url}/v1/jobs:batch`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ jobs }),
      });
      expect(response.status).toBe(202);
      const started = ((await response.json()) as { jobs: StartedJob[] }).jobs;
      await until(
        'all jobs have ended and been removed',
        async () => (await connection.dbsize()) < FEW && !(await holds(started)),
        60_000,
      );
    }
    /** Measures everything but BullMQ's event stream, which is limited to 10,000 entries and still grows during the test. */
    async function measure() {
      // Without the buffers of connections, which vary.
      const memory = Number(/^used_memory_dataset:(\d+)/m.exec(await connection.info('memory'))![1]);
      const stream = (await connection.call('MEMORY', 'USAGE', events, 'SAMPLES', '0')) as number;
      const keys = (await connection.keys('*')).filter(
        // Leaves out the dashboard's counters (one hash for each minute, kept for an hour) and the durations of earlier
        // runs (one short list for each kind, once a run has taken a quarter of a second).
        (key) => !/:stalled(-check)?$|:marker$|:minute:|\{runs\}/.test(key),
      );
      return { memory: memory - stream, keys: keys.sort() };
    }
    try {
      await wave();
      await wave();
      const before = await measure();
      const WAVES = 3;
      for (let i = 0; i < WAVES; i++) await wave();
      expect((await measure()).keys).toEqual(before.keys);
      // Leftover jobs would take about 2 KB each, 800 KB in all. Redis frees memory with a delay, and not all of it.
      const room = 120_000;
      await until('the memory is released', async () => (await measure()).memory - before.memory < room);
      expect(before.keys.length).toBeLessThan(20);
    } finally {
      await headway.stop();
    }
  }, 180_000);
});
