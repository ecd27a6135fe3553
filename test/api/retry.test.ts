import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clientOf, type StartedJob } from '../support/client.js';
import type { Headway } from '../support/headway.js';
import { startApi } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('retries', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  const watch = (job: StartedJob, lastEventId?: string): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token, lastEventId });

  /** Opens a queue. It does not stay paused when the test ends: other files use it too. */
  function openQueue(name: string): Queue {
    const queue = new Queue(name, { connection: headway.connection, prefix: '{headway}' });
    onTestFinished(async () => {
      await queue.resume();
      await queue.close();
    });
    return queue;
  }

  it('are published, each with the attempt, the error and the start of the next attempt', async () => {
    // Long enough for a busy machine: a retry that is published late no longer has the time of the next attempt.
    const delayMs = 1000;
    const job = await headway.client.start(
      'flaky',
      { failures: 2 },
      { attempts: 3, backoff: { type: 'fixed', delayMs } },
    );
    const stream = await watch(job);
    await stream.ended;
    expect(stream.names()).toEqual([
      'waiting',
      'active',
      'progress',
      'retrying',
      'active',
      'progress',
      'retrying',
      'active',
      'progress',
      'completed',
    ]);
    const retrying = stream.events.filter(({ event }) => event === 'retrying').map(({ data }) => data);
    expect(retrying).toMatchObject([
      { attempt: 1, attempts: 3, error: { message: 'no luck' } },
      { attempt: 2, attempts: 3, error: { message: 'no luck' } },
    ]);
    const progress = stream.events.filter(({ event }) => event === 'progress').map(({ data }) => data);
    for (const [i, { at, nextAttemptAt }] of retrying.entries()) {
      // The delay begins when the attempt fails, between its progress and the event.
      expect(nextAttemptAt - delayMs).toBeGreaterThanOrEqual(progress[i]!.at);
      expect(nextAttemptAt - delayMs).toBeLessThanOrEqual(at);
    }
    expect(progress.map(({ attempt, percent }) => [attempt, percent])).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
    ]);
  });

  it('appear on a stream with ?retries=follow; other streams end with the job', async () => {
    const job = await headway.client.start('flaky', { failures: 1 }, { attempts: 1 });
    const brief = await watch(job);
    const events = `${headway.client.events(job)}?retries=follow`;
    const staying = await openStream(events, { token: job.token });
    const both = await openStream(`${headway.api.url}/v1/events?job=${job.id}&retries=follow`, {
      token: job.token,
    });
    await brief.ended;
    await staying.waitFor('failed');
    // A viewer with the id of the end may stay too.
    const late = await openStream(events, { token: job.token, lastEventId: brief.lastEventId() });
    expect(late.status).toBe(200);
    expect((await headway.client.retry(job)).status).toBe(202);
    for (const stream of [staying, both, late]) {
      await stream.waitFor('completed');
      expect(stream.names().slice(-4)).toEqual(['waiting', 'active', 'progress', 'completed']);
      stream.close();
    }
    expect(late.names()).toHaveLength(4);
    const wrong = await fetch(`${headway.client.events(job)}?retries=1`, {
      headers: { Authorization: `Bearer ${job.token}` },
    });
    expect(wrong.status).toBe(400);
    expect(await wrong.json()).toMatchObject({ code: 'invalid-request' });
  });

  it('use the attempts and the back-off of the request', async () => {
    const job = await headway.client.start(
      'flaky',
      { failures: 9 },
      { attempts: 2, backoff: { type: 'exponential', delayMs: 40, jitter: 0 } },
    );
    const stream = await watch(job);
    await stream.ended;
    expect(stream.names().filter((name) => name === 'active')).toHaveLength(2);
    expect(stream.events.at(-1)).toMatchObject({ event: 'failed', data: { error: { message: 'no luck' } } });
  });

  it('do not follow a permanent error', async () => {
    const job = await headway.client.start('flaky', { failures: 9, permanent: true });
    const stream = await watch(job);
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'progress', 'failed']);
    expect(stream.events.at(-1)!.data.error).toEqual({ message: 'never', code: 'permanent' });
  });

  it('by hand appear on the same URL, for viewers of the first run and for new ones', async () => {
    const job = await headway.client.start('flaky', { failures: 1 }, { attempts: 1 });
    const first = await watch(job);
    await first.ended;
    expect(first.names().at(-1)).toBe('failed');
    expect((await watch(job, first.lastEventId())).status).toBe(204);

    const answer = await headway.client.retry(job);
    expect(answer.status).toBe(202);
    const second = await watch(job, first.lastEventId());
    await second.ended;
    expect(second.names()).toEqual(['waiting', 'active', 'progress', 'completed']);
    expect(second.events.at(-1)!.data).toMatchObject({ attempt: 2, result: { attempt: 2 } });
    const third = await watch(job);
    await third.ended;
    expect(third.names()).toEqual(['waiting', 'active', 'progress', 'completed']);
    expect((await watch(job, third.lastEventId())).status).toBe(204);
  });

  it('by hand start without progress, in the job and on its stream', async () => {
    const job = await headway.client.start('flaky', { failures: 1 }, { attempts: 1 });
    await (await watch(job)).ended;
    const queue = openQueue('flaky');
    await queue.pause();
    const expected = { state: 'waiting', attempt: 1, progress: null, paused: true };
    expect(await (await headway.client.retry(job)).json()).toMatchObject(expected);
    expect(await (await headway.client.get(job)).json()).toMatchObject(expected);
    await queue.resume();
    await (await watch(job)).waitFor('completed');
  });

  it('by hand give a job all its attempts again', async () => {
    const job = await headway.client.start('flaky', { failures: 4 });
    await (await watch(job)).ended;
    await headway.client.retry(job);
    const stream = await watch(job);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed', data: { attempt: 5 } });
  });

  it.each([
    ['has expired', async () => {}],
    ['was cancelled in time', (job: StartedJob) => headway.client.cancel(job)],
  ])('by hand run a job that %s, although its ttlMs has passed', async (_what, end) => {
    const queue = openQueue('flaky');
    await queue.pause();
    const ttlMs = 500;
    const job = await headway.client.start('flaky', { failures: 0 }, { ttlMs });
    const expiresBefore = Date.now() + ttlMs;
    await end(job);
    const first = await watch(job);
    await first.ended;
    await until('its deadline has passed', () => Date.now() > expiresBefore);
    expect(await (await headway.client.retry(job)).json()).not.toHaveProperty('expiresAt');
    await until(
      'its deadline is no longer stored',
      async () => (await headway.connection.zscore('headway:expiry', job.id)) === null,
    );
    await queue.resume();
    const second = await watch(job, first.lastEventId());
    await second.ended;
    expect(second.events.at(-1)).toMatchObject({ event: 'completed', data: { attempt: 1 } });
  });

  it('by hand take the deduplication key again, unless another job has it', async () => {
    const queue = openQueue('flaky');
    const deduplicationKey = 'a-key-that-is-long-enough';
    const start = () => headway.client.start('flaky', { failures: 1 }, { deduplicationKey, attempts: 1 });
    const first = await start();
    await (await watch(first)).ended;
    await queue.pause();
    await headway.client.retry(first);
    expect(await start()).toMatchObject({ id: first.id, deduplicated: true });
    await headway.client.cancel(first);
    const second = await start();
    expect(second.id).not.toBe(first.id);
    await headway.client.retry(first);
    expect(await start()).toMatchObject({ id: second.id, deduplicated: true });
    await queue.resume();
    for (const job of [first, second]) await (await watch(job)).ended;
    expect((await start()).id).not.toBe(first.id);
  });

  it('by hand work in a process that has just started, during other requests', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 10 }, () => headway.client.start('steps', { count: 1, intervalMs: 1, failAt: 1 })),
    );
    for (const job of jobs) await (await watch(job)).ended;
    const young = await startApi(headway.env);
    const client = clientOf(young.url);
    const statuses = await Promise.all(
      jobs.flatMap((job) =>
        [client.retry(job), ...Array.from({ length: 4 }, () => client.get(job))].map(
          async (answer) => (await answer).status,
        ),
      ),
    );
    expect(statuses.filter((status) => status !== 200 && status !== 202)).toEqual([]);
    expect(young.child.exitCode).toBeNull();
    await young.stop();
  });

  it('by hand are refused for a job that has not failed', async () => {
    const done = await headway.client.start('steps', { count: 0, intervalMs: 0 });
    await (await watch(done)).ended;
    const refused = await headway.client.retry(done);
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: 'not-failed',
      detail: expect.stringMatching(/has completed/),
    });
    const waiting = await headway.client.start('steps', { count: 0, intervalMs: 0 }, { delayMs: 60_000 });
    expect((await headway.client.retry(waiting)).status).toBe(409);
  });

  it('by hand work for a cancelled job, even with plain BullMQ', async () => {
    const queue = openQueue('steps');
    const start = (): Promise<StartedJob> =>
      headway.client.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 60_000 });
    const [ours, theirs] = [await start(), await start()];
    for (const job of [ours, theirs]) await headway.client.cancel(job);
    expect((await headway.client.retry(ours)).status).toBe(202);
    await (await queue.getJob(theirs.id))!.retry('failed', { resetAttemptsMade: true });
    for (const job of [ours, theirs]) {
      await until(
        'it has completed',
        async () =>
          ((await (await headway.client.get(job)).json()) as { state: string }).state === 'completed',
      );
    }
  });

  it('by hand publish the end of a job that is cancelled again before it runs', async () => {
    const queue = openQueue('steps');
    await queue.pause();
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    let lastEventId: string | undefined;
    for (const expected of [['waiting', 'cancelled'], ...Array(2).fill(['waiting', 'cancelled'])]) {
      await headway.client.cancel(job);
      const stream = await watch(job, lastEventId);
      await stream.ended;
      expect(stream.names().filter((name) => name !== 'queue')).toEqual(expected);
      lastEventId = stream.lastEventId();
      await headway.client.retry(job);
    }
    await queue.resume();
    const stream = await watch(job, lastEventId);
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
  });
});
