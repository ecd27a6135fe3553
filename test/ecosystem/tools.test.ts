import type { Job, Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobIdOf } from '../../src/shared/jobs/queues.js';
import { type PlainBullMq, plainBullMq } from '../support/bullmq.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };

describe('P10: a job that another tool changes with BullMQ alone', () => {
  let headway: Headway;
  let plain: PlainBullMq;
  let steps: Queue;
  let flaky: Queue;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { ADMIN_TOKEN, JOBS_DIR: jobsDir('steered', 'flaky') },
    });
    plain = plainBullMq(headway);
    steps = plain.queue('steps');
    flaky = plain.queue('flaky');
  });
  afterAll(async () => {
    await plain.close();
    await headway.stop();
  });

  const url = (jobId: string, rest = ''): string => `${headway.api.url}/v1/jobs/${jobId}${rest}`;
  const watch = (jobId: string): Promise<TestStream> =>
    openStream(url(jobId, '/events'), { token: ADMIN_TOKEN });
  const show = async (jobId: string) =>
    (await (await fetch(url(jobId), { headers })).json()) as Record<string, unknown>;
  const delayed = (delayMs = 300_000) =>
    headway.client.start('steps', { count: 1, intervalMs: 1 }, { delayMs });
  const bull = async (queue: Queue, id: string): Promise<Job> => (await queue.getJob(id))!;

  it.each([
    ['an id from BullMQ', undefined, /^steps\.\.\d+$/],
    ['a custom id', 'import-2026', /^steps\.\.import-2026$/],
    ['an id like those of Headway', 'steps.mine', /^steps\.mine$/],
    [
      'an id that has to be encoded in a path',
      'Übung/7@example.com 2',
      /^steps\.\.~C3~9Cbung~2F7~40example\.com~202$/,
    ],
    ['a long id', '報告'.repeat(70), /^steps\.\.(~[0-9A-F]{2}){420}$/],
  ])('added with %s: can be seen by an admin only', async (_what, jobId, expected) => {
    const job = await steps.add('steps', { count: 3, intervalMs: 1 }, jobId ? { jobId } : {});
    const id = jobIdOf({ queue: 'steps', id: job.id! });
    expect(id).toMatch(expected);
    const stream = await watch(id);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    expect(stream.events.at(-1)!.data).toMatchObject({ jobId: id, name: 'steps', result: { steps: 3 } });
    expect(await show(id)).toMatchObject({ id, state: 'completed', progress: { jobId: id, percent: 100 } });
    expect(await (await fetch(url(id, '/result'), { headers })).json()).toEqual({ steps: 3 });
    expect((await fetch(url(id))).status).toBe(404);
    const list = await fetch(`${headway.api.url}/v1/jobs?limit=200`, { headers });
    const { jobs } = (await list.json()) as { jobs: Array<{ id: string }> };
    expect(jobs.map((each) => each.id)).toContain(id);
    // The API also accepts the id as the tool knows it.
    const plainUrl = url(encodeURIComponent(`steps..${job.id}`));
    expect(await (await fetch(plainUrl, { headers })).json()).toMatchObject({ id });
  });

  it.each(['elsewhere', 'order.events'])(
    'in %s, a queue of no known kind: ends its streams with the outcome',
    async (name) => {
      const queue = plain.queue(name);
      const job = await queue.add('Send an e-mail', {});
      const id = jobIdOf({ queue: name, id: job.id! });
      const stream = await watch(id);
      await stream.waitFor('waiting');
      plain.worker(name, async () => ({ sent: 1 }));
      await stream.waitFor('completed', 5000);
      await stream.ended;
      expect(stream.events.at(-1)!.data).toMatchObject({ name: 'Send an e-mail', result: { sent: 1 } });
    },
  );

  it('added: can be cancelled', async () => {
    const job = await steps.add('steps', { count: 1, intervalMs: 60_000 });
    const id = `steps..${job.id}`;
    await until('it runs', async () => (await show(id)).state === 'active');
    const stream = await watch(id);
    // The status is 200 if the worker stopped before the response was sent.
    expect([200, 202]).toContain((await fetch(url(id, '/cancel'), { method: 'POST', headers })).status);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('cancelled');
  });

  it('promoted: waits, then runs', async () => {
    const [one, other] = await Promise.all([delayed(), delayed()]);
    const streams = await Promise.all([one, other].map(({ id }) => watch(id)));
    await (await bull(steps, one.id)).promote();
    await streams[0]!.ended;
    await steps.promoteJobs();
    await streams[1]!.ended;
    for (const stream of streams) {
      expect(stream.names()[0]).toBe('delayed');
      expect(stream.names().at(-1)).toBe('completed');
    }
  });

  it('delayed further: shows the new time', async () => {
    const job = await delayed(60_000);
    const stream = await watch(job.id);
    const { data: before } = await stream.waitFor('delayed');
    await (await bull(steps, job.id)).changeDelay(600_000);
    const { data: after } = await stream.waitFor(
      ({ event, data }) => event === 'delayed' && data.until !== before.until,
    );
    expect(after.until - before.until).toBeGreaterThan(500_000);
    expect(await show(job.id)).toMatchObject({ state: 'delayed', dueAt: after.until });
    await (await bull(steps, job.id)).promote();
    await stream.ended;
    expect(stream.names().filter((name) => name === 'delayed')).toHaveLength(2);
    expect(stream.names().at(-1)).toBe('completed');
  });

  it('given another priority: shows it, and runs', async () => {
    await steps.pause();
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const stream = await watch(job.id);
    await (await bull(steps, job.id)).changePriority({ priority: 7 });
    expect(await show(job.id)).toMatchObject({ state: 'prioritized' });
    await (await bull(steps, job.id)).changePriority({ priority: 0 });
    expect(await show(job.id)).toMatchObject({ state: 'waiting' });
    await steps.resume();
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'progress' && name !== 'queue')).toEqual([
      'waiting',
      'active',
      'log',
      'completed',
    ]);
  });

  it('retried after it failed: its stream begins anew', async () => {
    const job = await headway.client.start('flaky', { failures: 1 }, { attempts: 1 });
    const stream = await watch(job.id);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('failed');
    await (await bull(flaky, job.id)).retry();
    const again = await openStream(url(job.id, '/events'), {
      token: ADMIN_TOKEN,
      lastEventId: stream.lastEventId(),
    });
    await again.ended;
    expect(again.names().filter((name) => name !== 'progress')).toEqual(['waiting', 'active', 'completed']);
    expect(again.events.at(-1)!.data).toMatchObject({ attempt: 2, result: { attempt: 2 } });
    expect(await show(job.id)).toMatchObject({ state: 'completed', attempt: 2 });
  });

  it('promoted while it waits for its next attempt: waits for a worker', async () => {
    const job = await headway.client.start(
      'flaky',
      { failures: 1 },
      { attempts: 2, backoff: { type: 'fixed', delayMs: 600_000 } },
    );
    const stream = await watch(job.id);
    await stream.waitFor('retrying');
    await flaky.pause();
    await (await bull(flaky, job.id)).promote();
    await stream.waitFor(({ event, data }) => event === 'waiting' && data.attempt === 1);
    await flaky.resume();
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  });

  const removed = { event: 'cancelled', data: { reason: 'removed' } };
  it('removed: ends as cancelled', async () => {
    const job = await delayed();
    const stream = await watch(job.id);
    await (await bull(steps, job.id)).remove();
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject(removed);
    expect((await fetch(url(job.id), { headers })).status).toBe(410);
    // A late viewer gets the same events.
    const late = await watch(job.id);
    await late.ended;
    expect(late.names()).toEqual(['delayed', 'cancelled']);
  });

  it.each<[string, (queue: Queue) => Promise<unknown>]>([
    ['cleaned', (queue) => queue.clean(0, 100, 'delayed')],
    ['drained', (queue) => queue.drain(true)],
    [
      'obliterated',
      async (queue) => {
        await queue.obliterate();
        await queue.resume();
      },
    ],
  ])('in a queue that is %s: ends as cancelled within seconds', async (_what, act) => {
    const jobs = await Promise.all([delayed(), delayed(), delayed()]);
    const streams = await Promise.all(jobs.map(({ id }) => watch(id)));
    // A job of another queue is not affected.
    const other = await headway.client.start('flaky', { failures: 0 }, { delayMs: 600_000 });
    const bystander = await watch(other.id);
    const began = Date.now();
    await act(steps);
    await Promise.all(streams.map(({ ended }) => ended));
    expect(Date.now() - began).toBeLessThan(5000);
    for (const stream of streams) {
      expect(stream.names()).toEqual(['delayed', 'cancelled']);
      expect(stream.events.at(-1)).toMatchObject(removed);
    }
    expect(bystander.names()).toEqual(['delayed']);
    bystander.close();
    // The queue can be used again.
    const next = await headway.client.start('steps', { count: 2, intervalMs: 1 });
    const stream = await watch(next.id);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  });

  it('in a queue that is obliterated by force: ends for its viewers, even while it runs', async () => {
    const job = await headway.client.start('steered', { turns: 'turns-obliterated' });
    const stream = await watch(job.id);
    await headway.connection.lpush('turns-obliterated', '30');
    await stream.waitFor('progress');
    const queue = plain.queue('steered');
    await queue.obliterate({ force: true });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject(removed);
    await headway.connection.lpush('turns-obliterated', 'end');
    await queue.resume();
  });
});
