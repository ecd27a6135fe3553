import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('POST /v1/jobs', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: { BODY_MAX_BYTES: '2048', JOBS_DIR: jobsDir('bad-result') },
    });
  });
  afterAll(() => headway.stop());

  const STEPS = { name: 'steps', data: { count: 1, intervalMs: 1 } };

  it('returns 202 with links to everything about the job', async () => {
    const response = await headway.client.post(STEPS);
    expect(response.status).toBe(202);
    const job = (await response.json()) as StartedJob;
    expect(response.headers.get('location')).toBe(`/v1/jobs/${job.id}`);
    expect(job).toEqual({
      id: expect.stringMatching(/^steps\.[0-9a-f-]{36}$/),
      name: 'steps',
      state: expect.stringMatching(/^(waiting|active|completed)$/),
      links: {
        self: `/v1/jobs/${job.id}`,
        events: `/v1/jobs/${job.id}/events`,
        cancel: `/v1/jobs/${job.id}/cancel`,
        result: `/v1/jobs/${job.id}/result`,
      },
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
    });
    // One cookie for all jobs of the visitor.
    const cookies = response.headers.getSetCookie();
    expect(cookies).toHaveLength(1);
    expect(cookies[0]).toMatch(
      /^headway_visitor=[\w-]{27}; Max-Age=31536000; Path=\/; .*HttpOnly; SameSite=Lax$/,
    );
  });

  it.each([
    ['no body', '', 400, 'invalid-request', ''],
    ['no JSON', '{"name":', 400, 'invalid-json', ''],
    ['an array', '[]', 400, 'invalid-request', ''],
    ['a string', '"steps"', 400, 'invalid-json', ''],
    ['no name', { data: {} }, 400, 'invalid-request', '/name'],
    ['a name that is not text', { name: 7 }, 400, 'invalid-request', '/name'],
    ['an unknown field', { ...STEPS, datum: 1 }, 400, 'invalid-request', ''],
    ['an unknown option', { ...STEPS, options: { attempt: 1 } }, 400, 'invalid-request', '/options'],
    [
      'an option out of range',
      { ...STEPS, options: { attempts: 0 } },
      400,
      'invalid-request',
      '/options/attempts',
    ],
    ['an unknown kind of job', { name: 'stepz', data: {} }, 422, 'unknown-job', '/name'],
    ['the name of an inherited property', { name: 'constructor', data: {} }, 422, 'unknown-job', '/name'],
    ['missing data', { name: 'steps' }, 422, 'invalid-data', '/data/count'],
    [
      'data of the wrong type',
      { name: 'steps', data: { count: '1', intervalMs: 1 } },
      422,
      'invalid-data',
      '/data/count',
    ],
    [
      'data with an unknown field',
      { name: 'steps', data: { ...STEPS.data, x: 1 } },
      422,
      'invalid-data',
      '/data',
    ],
    [
      'an invalid file id',
      { name: 'checksum', data: { file: '../../etc/passwd' } },
      422,
      'invalid-data',
      '/data/file',
    ],
    [
      'a file that does not exist',
      { name: 'checksum', data: { file: `file_${'a'.repeat(27)}` } },
      422,
      'unknown-file',
      '/data/file',
    ],
    ['a body that is too large', { ...STEPS, name: 'x'.repeat(4000) }, 413, 'body-too-large', ''],
  ])('refuses %s with the reason and a pointer', async (_what, body, status, code, pointer) => {
    const response = await headway.client.post(body);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const problem = (await response.json()) as { detail: string; errors?: Array<{ pointer: string }> };
    expect(problem).toMatchObject({
      status,
      code,
      type: `urn:headway:problem:${code}`,
      instance: '/v1/jobs',
    });
    expect(problem.detail).not.toBe('');
    if (pointer) expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  it('refuses a body that is not declared as JSON', async () => {
    const response = await headway.client.post(STEPS, { 'Content-Type': 'text/plain' });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({ code: 'unsupported-media-type' });
  });

  it('queues nothing for a refused request', async () => {
    const before = await headway.connection.get('{headway}:steps:id');
    await headway.client.post({ name: 'steps', data: { count: -1, intervalMs: 1 } });
    expect(await headway.connection.get('{headway}:steps:id')).toBe(before);
  });

  it('returns the same job for the same Idempotency-Key and body, with fields in any order', async () => {
    const headers = { 'Idempotency-Key': 'key-one-that-is-long' };
    const bodies = [STEPS, { data: { intervalMs: 1, count: 1 }, name: 'steps' }];
    const answers = await Promise.all(
      [...bodies, ...bodies].map((body) => headway.client.post(body, headers)),
    );
    const jobs = (await Promise.all(answers.map((answer) => answer.json()))) as StartedJob[];
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(1);
    for (const job of jobs) expect((await headway.client.get(job)).status).toBe(200);
    const other = await headway.client.post({ ...STEPS, data: { count: 2, intervalMs: 1 } }, headers);
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: 'idempotency-conflict' });
  });

  it('does not use up an Idempotency-Key on a refused request', async () => {
    const headers = { 'Idempotency-Key': 'key-two-that-is-long' };
    expect((await headway.client.post({ name: 'steps', data: {} }, headers)).status).toBe(422);
    expect((await headway.client.post(STEPS, headers)).status).toBe(202);
  });

  it.each(['short', 'fifteen-chars-x', 'a long key with spaces', 'x'.repeat(256)])(
    'refuses the Idempotency-Key %j',
    async (key) => {
      const response = await headway.client.post(STEPS, { 'Idempotency-Key': key });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'invalid-idempotency-key' });
    },
  );

  it('shows the state that a job has in BullMQ', async () => {
    const job = await headway.client.start('steps', { count: 2, intervalMs: 1 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(await (await headway.client.get(job)).json()).toEqual({
      id: job.id,
      name: 'steps',
      state: 'completed',
      progress: expect.objectContaining({ percent: 100, current: 2, total: 2, attempt: 1 }),
      attempt: 1,
      attempts: 1,
      createdAt: expect.any(Number),
      startedAt: expect.any(Number),
      finishedAt: expect.any(Number),
      result: { steps: 2 },
      links: job.links,
    });
    expect(await (await headway.client.result(job)).json()).toEqual({ steps: 2 });
  });

  it('delays a job', async () => {
    const job = await headway.client.start('steps', STEPS.data, { delayMs: 400 });
    expect(job.state).toBe('delayed');
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.names().filter((name) => name !== 'progress' && name !== 'log')).toEqual([
      'delayed',
      'active',
      'completed',
    ]);
  });

  it('shows why a job failed, and has no result for it', async () => {
    const job = await headway.client.start('steps', { count: 5, intervalMs: 1, failAt: 3 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: { jobId: job.id, attempt: 1, error: { message: 'failed at step 3, as asked' } },
    });
    expect(await (await headway.client.get(job)).json()).toMatchObject({
      state: 'failed',
      error: { message: 'failed at step 3, as asked' },
    });
    const result = await headway.client.result(job);
    expect(result.status).toBe(409);
    expect(await result.json()).toMatchObject({ code: 'job-failed' });
  });

  it('returns 409 for the result of a running job', async () => {
    const job = await headway.client.start('steps', { count: 1, intervalMs: 60_000 });
    const result = await headway.client.result(job);
    expect(result.status).toBe(409);
    expect(await result.json()).toMatchObject({ code: 'not-finished' });
  });

  it('fails a job whose result does not match its schema, without a retry', async () => {
    const job = await headway.client.start('bad-result', {}, { attempts: 5 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: { attempt: 1, error: { message: expect.stringMatching(/invalid job result.*\/rows/) } },
    });
  });

  it("keeps state, progress and result up to date for BullMQ's tools", async () => {
    const queue = new Queue('steps', {
      prefix: '{headway}',
      connection: headway.connection,
    });
    try {
      const started = await headway.client.start('steps', { count: 30, intervalMs: 100 });
      const progress = await until('BullMQ has the progress of a later step', async () => {
        const job = await queue.getJob(started.id);
        const progress = job?.progress as { current?: number } | undefined;
        return progress?.current && progress.current > 5 ? progress : undefined;
      });
      expect(progress).toMatchObject({ total: 30, unit: 'steps' });
      const stream = await openStream(headway.client.events(started), { token: started.token });
      await stream.ended;
      const job = (await queue.getJob(started.id))!;
      expect(await job.getState()).toBe('completed');
      expect(job.progress).toMatchObject({ percent: 100 });
      expect(job.returnvalue).toEqual({ steps: 30 });
    } finally {
      await queue.close();
    }
  });

  it('publishes what a BullMQ tool does to a job: removed, retried', async () => {
    const queue = new Queue('steps', {
      prefix: '{headway}',
      connection: headway.connection,
    });
    try {
      const removed = await headway.client.start('steps', STEPS.data, { delayMs: 60_000 });
      const stream = await openStream(headway.client.events(removed), { token: removed.token });
      await stream.waitFor('delayed');
      await (await queue.getJob(removed.id))!.remove();
      await stream.ended;
      expect(stream.events.at(-1)).toMatchObject({ event: 'cancelled', data: { reason: 'removed' } });

      const failed = await headway.client.start('steps', { count: 1, intervalMs: 1, failAt: 1 });
      const first = await openStream(headway.client.events(failed), { token: failed.token });
      await first.ended;
      await (await queue.getJob(failed.id))!.retry();
      await until('it has failed again', async () => (await queue.getJob(failed.id))?.attemptsStarted === 2);
      await until('the channel has the failure', async () => {
        const again = await openStream(headway.client.events(failed), {
          token: failed.token,
          lastEventId: first.lastEventId(),
        });
        await again.ended;
        const names = again.names().filter((name) => name !== 'progress' && name !== 'log');
        return names.join() === 'waiting,active,failed';
      });
    } finally {
      await queue.close();
    }
  });
});
