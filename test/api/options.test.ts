import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('job options', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        QUEUE_NAME: 'shared',
        WORKER_CONCURRENCY: '1',
        JOBS_DIR: jobsDir('steered'),
      },
    });
  });
  afterAll(() => headway.stop());

  const STEPS = { count: 1, intervalMs: 1 };
  const watch = (job: StartedJob): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token });
  const view = async (job: StartedJob) =>
    (await (await headway.client.get(job)).json()) as Record<string, unknown>;
  /** Keeps the only worker busy until the returned function is called. */
  async function occupy(turns: string): Promise<() => Promise<void>> {
    const job = await headway.client.start('steered', { turns });
    const stream = await watch(job);
    await stream.waitFor('active');
    return async () => {
      await headway.connection.lpush(turns, 'end');
      await stream.ended;
    };
  }

  it.each([
    ['an unknown option', { retries: 3 }, '/options'],
    ['no attempts', { attempts: 0 }, '/options/attempts'],
    ['a back-off of another kind', { backoff: { type: 'linear', delayMs: 1 } }, '/options/backoff/type'],
    ['a negative delay', { delayMs: -1 }, '/options/delayMs'],
    ['an invalid time', { runAt: 'tomorrow' }, '/options/runAt'],
    ['a time without a zone', { runAt: '2026-11-24T10:00:00' }, '/options/runAt'],
    ['a time more than a year ahead', { runAt: '2050-01-01T00:00:00Z' }, '/options/runAt'],
    ['a delay and a time', { delayMs: 1, runAt: '2026-11-24T10:00:00Z' }, '/options/runAt'],
    ['a priority over the limit', { priority: 2_097_152 }, '/options/priority'],
    ['a key that can be guessed', { deduplicationKey: 'invoice-7' }, '/options/deduplicationKey'],
    ['a ttlMs of 0', { ttlMs: 0 }, '/options/ttlMs'],
    ['a time limit that exceeds any timer', { timeoutMs: 2 ** 31 }, '/options/timeoutMs'],
    ['an invalid tag', { tags: ['a b'] }, '/options/tags/0'],
    ['a title of two lines', { title: 'a\nb' }, '/options/title'],
    ['a title with half a character', { title: 'a\ud83d' }, '/options/title'],
    ['an empty title', { title: '' }, '/options/title'],
    ['metadata that is too large', { metadata: { a: 'x'.repeat(5000) } }, '/options/metadata'],
  ])('are refused with a pointer to the invalid field: %s', async (_what, options, pointer) => {
    const response = await headway.client.post({ name: 'steps', data: STEPS, options });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  it.each([0, 1, 2_097_151])('priority can be %d', async (priority) => {
    const job = await headway.client.start('steps', STEPS, { priority });
    await (await watch(job)).ended;
    expect(await view(job)).toMatchObject({ state: 'completed' });
  });

  it('runAt starts a job at that time, or now if the time has passed', async () => {
    const at = Date.now() + 400;
    const later = await headway.client.start('steps', STEPS, { runAt: new Date(at).toISOString() });
    expect(await view(later)).toMatchObject({ state: 'delayed', dueAt: expect.closeTo(at, -2) });
    const stream = await watch(later);
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'progress')).toEqual([
      'delayed',
      'active',
      'log',
      'completed',
    ]);
    expect(stream.events[1]!.data.at).toBeGreaterThanOrEqual(at - 5);
    const past = await headway.client.start('steps', STEPS, { runAt: '2020-01-01T00:00:00+02:00' });
    await (await watch(past)).waitFor('completed');
  });

  it('priority puts a job ahead of waiting jobs; 1 comes first', async () => {
    const release = await occupy('priority');
    const low = await headway.client.start('steps', STEPS, { priority: 10 });
    const high = await headway.client.start('steps', STEPS, { priority: 1 });
    const [lowStream, highStream] = [await watch(low), await watch(high)];
    await release();
    const [second, first] = await Promise.all([lowStream.waitFor('active'), highStream.waitFor('active')]);
    expect(first.data.at).toBeLessThan(second.data.at);
    await Promise.all([lowStream.ended, highStream.ended]);
  });

  it('deduplicationKey returns the unfinished job, and starts a new one afterwards', async () => {
    const deduplicationKey = 'invoice-7-0123456789';
    const start = () => headway.client.start('steps', STEPS, { deduplicationKey, delayMs: 60_000 });
    const [first, ...others] = (await Promise.all([start(), start(), start()])).sort((a, b) =>
      'deduplicated' in a ? 1 : 'deduplicated' in b ? -1 : 0,
    );
    for (const other of others) {
      expect(other).toMatchObject({ id: first!.id, deduplicated: true, links: first!.links });
      expect(await view(other)).toMatchObject({ state: 'delayed' });
    }
    await headway.client.cancel(first!);
    const next = await start();
    expect(next.id).not.toBe(first!.id);
    expect(next).not.toHaveProperty('deduplicated');
    await headway.client.cancel(next);
  });

  it('deduplicationKey: a deduplicated start leaves nothing behind, alone or in a batch', async () => {
    const options = { deduplicationKey: 'invoice-8-0123456789', delayMs: 60_000, ttlMs: 3_600_000 };
    const first = await headway.client.start('steps', STEPS, options);
    const keys = async (): Promise<string[]> => {
      const all = await headway.connection.keys('headway:{job:*');
      return [...all, ...(await headway.connection.zrange('headway:expiry', '0', '-1'))].sort();
    };
    const before = await keys();
    const starts = Array.from({ length: 50 }, () => headway.client.start('steps', STEPS, options));
    expect(new Set((await Promise.all(starts)).map(({ id }) => id))).toEqual(new Set([first.id]));
    const response = await fetch(`${headway.api.url}/v1/jobs:batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ jobs: Array(50).fill({ name: 'steps', data: STEPS, options }) }),
    });
    const { jobs } = (await response.json()) as { jobs: Array<{ id: string }> };
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set([first.id]));
    expect(await keys()).toEqual(before);
    await headway.client.cancel(first);
  });

  it('ttlMs fails a job that has not started in time, with the code expired', async () => {
    const release = await occupy('ttl');
    const [job, quick] = await Promise.all([
      headway.client.start('steps', STEPS, { ttlMs: 300 }),
      headway.client.start('steps', STEPS, { ttlMs: 60_000 }),
    ]);
    const stream = await watch(job);
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'failed']);
    expect(stream.events[1]!.data.error).toEqual({ code: 'expired', message: 'not started in time' });
    expect(await view(job)).toMatchObject({ state: 'failed', attempt: 0, error: { code: 'expired' } });
    await release();
    await (await watch(quick)).waitFor('completed');
  });

  it('title, metadata and tags are stored and shown', async () => {
    // Values that BullMQ's Lua scripts would change: empty lists, `null` and large numbers.
    const metadata = {
      invoice: 7,
      customer: { name: 'Ada', notes: {}, lists: [[], {}, null, 1] },
      none: [],
      nothing: null,
      large: Number.MAX_SAFE_INTEGER,
      third: 1 / 3,
      text: 'é 漢 \u0000 "quoted"',
    };
    const title = 'Rechnungen für “Ada” 🧾';
    const tags = ['billing', 'eu', 'billing'];
    const job = await headway.client.start('steps', STEPS, { title, metadata, tags });
    const shown = await view(job);
    expect([shown.title, shown.metadata]).toEqual([title, metadata]);
    expect(shown.tags).toEqual(['billing', 'eu']);
    await (await watch(job)).ended;
    const queue = new Queue('shared', { connection: headway.connection, prefix: '{headway}' });
    await until('BullMQ keeps it too', async () => (await queue.getJob(job.id))?.returnvalue);
    await queue.close();
  });
});
