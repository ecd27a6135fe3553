import { randomBytes } from 'node:crypto';
import { Queue, Worker } from 'bullmq';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startWorker } from '../support/processes.js';
import { Scrape } from '../support/prometheus.js';
import { type Receiver, startReceiver } from '../support/receiver.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;
const SECRET = newSecret();
const ON = {
  WEBHOOK_HOSTS: '127.0.0.1, *.example.com',
  WEBHOOK_ALLOW_PRIVATE: 'true',
  WEBHOOK_SECRET: SECRET,
  LOG_LEVEL: 'trace',
};
const STEPS = { count: 1, intervalMs: 1 };

/** The fields of a job's view that the tests use. */
interface JobView {
  state: string;
  webhook?: { id: string; state: string; attempt: number; links: StartedJob['links'] };
}

describe('options.webhook', () => {
  let headway: Headway;
  let receiver: Receiver;
  beforeAll(async () => {
    headway = await startHeadway({ env: ON });
  });
  afterEach(() => receiver?.stop());
  afterAll(() => headway.stop());

  const start = (
    data: Record<string, unknown> = STEPS,
    webhook: Record<string, unknown> = {},
  ): Promise<StartedJob> =>
    headway.client.start('steps', data, { webhook: { url: receiver.url, ...webhook } });
  const view = async (job: StartedJob): Promise<JobView> =>
    (await headway.client.get(job)).json() as Promise<JobView>;
  const watch = (job: Pick<StartedJob, 'links' | 'token'>): Promise<TestStream> =>
    openStream(`${headway.api.url}${job.links.events}`, { token: job.token });
  const ended = async (job: Pick<StartedJob, 'links' | 'token'>): Promise<TestStream> => {
    const stream = await watch(job);
    await stream.ended;
    return stream;
  };
  const deliveryOf = async (job: StartedJob): Promise<StartedJob> => ({
    ...job,
    ...(await view(job)).webhook!,
  });

  it('is called when the job completes: signed, with the job as GET shows it', async () => {
    receiver = await startReceiver();
    const job = await start();
    await ended(job);
    const [call] = await receiver.called(1);
    expect(call).toMatchObject({
      method: 'POST',
      path: '/hook',
      headers: { 'content-type': 'application/json', 'user-agent': 'Headway' },
    });
    const { webhook, ...shown } = await view(job);
    expect(new Webhook(SECRET).verify(call!.body, call!.headers as Record<string, string>)).toEqual({
      type: 'job.completed',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: shown,
    });
    expect(call!.json.data).toMatchObject({ id: job.id, result: { steps: 1 }, progress: { percent: 100 } });
    expect(call!.headers['webhook-id']).toBe(`msg_${webhook!.id.split('.')[1]}`);
  });

  it('creates a delivery that can be watched with the token of the job', async () => {
    receiver = await startReceiver();
    const job = await start();
    await ended(job);
    const delivery = await deliveryOf(job);
    const stream = await ended(delivery);
    // A worker may take the delivery before `waiting` is published.
    expect(stream.names().slice(-3)).toEqual(['active', 'log', 'completed']);
    expect(stream.events.at(-2)!.data).toMatchObject({
      level: 'info',
      message: 'the receiver answered 204',
      fields: { status: 204, ms: expect.any(Number) },
    });
    expect(await view(job)).toMatchObject({
      webhook: {
        id: delivery.id,
        state: 'completed',
        attempt: 1,
        links: { self: `/v1/jobs/${delivery.id}` },
      },
    });
    expect(await view(delivery)).toMatchObject({ name: 'webhook', result: { status: 204 } });
  });

  it('refuses access to a delivery without the token of the job', async () => {
    receiver = await startReceiver();
    const [job, other] = [await start(), await start()];
    await ended(job);
    const delivery = await deliveryOf(job);
    for (const token of [other.token, undefined]) {
      const response = await fetch(`${headway.api.url}${delivery.links.self}`, {
        headers: token ? { Authorization: `Bearer ${token}` } : {},
      });
      expect(response.status).toBe(404);
    }
    // Otherwise the deliveries would be repeated during the next tests.
    await ended(other);
    await Promise.all([ended(delivery), deliveryOf(other).then(ended)]);
  });

  it('reports a failure, signed with its own secret, which is never shown', async () => {
    receiver = await startReceiver(500);
    const secret = newSecret();
    const url = `${receiver.url}?key=query-secret`;
    const job = await start({ ...STEPS, failAt: 1 }, { secret, url });
    await ended(job);
    const delivery = await deliveryOf(job);
    const published = await ended(delivery);
    const [, second] = await receiver.called(2);
    expect(new Webhook(secret).verify(second!.body, second!.headers as Record<string, string>)).toMatchObject(
      {
        type: 'job.failed',
        data: { state: 'failed', error: { message: 'failed at step 1, as asked' } },
      },
    );
    expect(second!.path).toBe('/hook?key=query-secret');
    const { connection, api, workers } = headway;
    const keys = await connection.keys('*');
    const seen = [api.output(), workers[0]!.output(), published.raw(), JSON.stringify(await view(job))];
    for (const key of keys) {
      if ((await connection.type(key)) === 'hash') seen.push(JSON.stringify(await connection.hgetall(key)));
      if ((await connection.type(key)) === 'stream') {
        seen.push(JSON.stringify(await connection.xrange(key, '-', '+')));
      }
    }
    expect(seen.join()).toContain(job.id);
    for (const hidden of [secret, secret.slice(6), 'query-secret']) expect(seen.join()).not.toContain(hidden);
    // The secret is stored only where docs/operations/security.md says, and only as long as it is needed.
    const kept = `headway:{job:${job.id}}:webhook`;
    expect(await connection.get(kept)).toContain(secret);
    expect(await connection.pttl(kept)).toBeLessThanOrEqual(31 * 24 * 3_600_000);
  });

  it('is retried with the same id and bytes until it is accepted', async () => {
    receiver = await startReceiver(500, (res) => res.socket!.destroy());
    const { metrics } = headway.workers[0]!;
    const counted = async (): Promise<number[]> => {
      const scrape = await Scrape.of(metrics);
      const outcomes = ['delivered', 'rejected', 'failed'];
      return [
        ...outcomes.map((outcome) => scrape.value('headway_webhook_calls_total', { outcome })),
        scrape.value('headway_webhook_call_duration_seconds'),
      ];
    };
    const before = await counted();
    const job = await start();
    await ended(job);
    const stream = await ended(await deliveryOf(job));
    const calls = await receiver.called(3);
    expect((await counted()).map((value, i) => value - before[i]!)).toEqual([1, 1, 1, 3]);
    expect(new Set(calls.map(({ body }) => body)).size).toBe(1);
    expect(new Set(calls.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    for (const { body, headers } of calls)
      new Webhook(SECRET).verify(body, headers as Record<string, string>);
    const times = calls.map(({ headers }) => Number(headers['webhook-timestamp']));
    expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(1);
    expect(stream.events.filter(({ event }) => event === 'log').map(({ data }) => data.message)).toEqual([
      'the receiver answered 500',
      'could not reach the receiver: ECONNRESET',
      'the receiver answered 204',
    ]);
    expect(stream.events.filter(({ event }) => event === 'retrying')[0]!.data).toMatchObject({
      attempts: 18,
    });
  });

  it('is given up when the receiver returns 410, and can be retried by hand', async () => {
    receiver = await startReceiver(410);
    const job = await start();
    await ended(job);
    const delivery = await deliveryOf(job);
    const stream = await ended(delivery);
    expect(stream.events.at(-1)).toMatchObject({
      event: 'failed',
      data: {
        attempt: 1,
        error: { code: 'permanent', message: 'the receiver no longer accepts calls (410)' },
      },
    });
    expect(await view(job)).toMatchObject({ state: 'completed', webhook: { state: 'failed' } });
    expect((await headway.client.retry(delivery)).status).toBe(202);
    const [first, second] = await receiver.called(2);
    expect(second!.body).toBe(first!.body);
    expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id']);
  });

  it('does not follow redirects, and reports them', async () => {
    const inner = await startReceiver();
    receiver = await startReceiver((res) => res.writeHead(302, { Location: inner.url }).end());
    const job = await start();
    await ended(job);
    const stream = await watch(await deliveryOf(job));
    const { data } = await stream.waitFor('retrying');
    expect(data.error.message).toBe('the receiver answered 302; redirects are not followed');
    expect(inner.calls).toEqual([]);
    stream.close();
    await inner.stop();
  });

  it('is not called for an event that it does not list', async () => {
    receiver = await startReceiver();
    const job = await start(STEPS, { events: ['failed', 'cancelled'] });
    await ended(job);
    // A delivery is queued before the end of the job is published.
    expect(await view(job)).not.toHaveProperty('webhook');
    const failing = await start({ ...STEPS, failAt: 1 }, { events: ['failed'] });
    await ended(failing);
    await ended(await deliveryOf(failing));
    expect(receiver.calls.map(({ json }) => json.data.id)).toEqual([failing.id]);
  });

  it('can be cancelled', async () => {
    receiver = await startReceiver(500);
    const job = await start();
    await ended(job);
    const delivery = await deliveryOf(job);
    const stream = await watch(delivery);
    await stream.waitFor('retrying');
    expect((await headway.client.cancel(delivery)).status).toBe(200);
    await stream.ended;
    expect(receiver.calls).toHaveLength(1);
  });

  it('of a deduplicated start is not stored', async () => {
    receiver = await startReceiver();
    const options = { delayMs: 60_000, deduplicationKey: 'the-same-one-long-enough' };
    const webhook = { url: receiver.url };
    const first = await headway.client.start('steps', STEPS, { ...options, webhook });
    const second = await headway.client.start('steps', STEPS, {
      ...options,
      webhook: { url: `${receiver.url}2` },
    });
    expect(second.id).toBe(first.id);
    const keys = await headway.connection.keys('headway:{job:*}:webhook');
    const kept = await Promise.all(keys.map((key) => headway.connection.get(key)));
    expect(kept.join()).not.toContain(`${receiver.url}2`);
    await headway.client.cancel(first);
    expect((await receiver.called(1))[0]!.path).toBe('/hook');
  });

  it.each<[string, unknown, string]>([
    ['a webhook that is not an object', 'https://a.example.com/', ''],
    ['a webhook without a URL', {}, '/url'],
    ['an unknown field', { url: 'https://a.example.com/', method: 'GET' }, ''],
    ['a URL without a scheme', { url: 'a.example.com/hook' }, '/url'],
    ['another scheme', { url: 'ftp://a.example.com/' }, '/url'],
    ['a password in the URL', { url: 'https://u:p@a.example.com/' }, '/url'],
    ['a host that is not allowed', { url: 'https://evil.test/' }, '/url'],
    ['the metadata service', { url: 'http://169.254.169.254/' }, '/url'],
    ['a URL that is too long', { url: `https://a.example.com/${'x'.repeat(2048)}` }, '/url'],
    ['an invalid secret', { url: 'https://a.example.com/', secret: 'hunter2' }, '/secret'],
    ['an event that is not terminal', { url: 'https://a.example.com/', events: ['progress'] }, '/events/0'],
    ['an empty list of events', { url: 'https://a.example.com/', events: [] }, '/events'],
  ])('refuses %s with a pointer and the reason', async (_what, webhook, field) => {
    const response = await headway.client.post({ name: 'steps', data: STEPS, options: { webhook } });
    expect(response.status).toBe(400);
    const problem = (await response.json()) as {
      code: string;
      errors: Array<{ pointer: string; detail: string }>;
    };
    expect(problem.code).toBe('invalid-request');
    expect(problem.errors[0]!.pointer).toBe(`/options/webhook${field}`);
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it('is delivered by a kind of job that cannot be started and is not listed', async () => {
    const response = await headway.client.post({ name: 'webhook', data: { job: 'x', body: '{}' } });
    expect(response.status).toBe(422);
    const problem = (await response.json()) as { code: string; detail: string };
    expect(problem.code).toBe('unknown-job');
    expect(problem.detail).toMatch(/Available: (?!.*webhook).*steps\.$/);
    const { definitions } = (await (await fetch(`${headway.api.url}/v1/definitions`)).json()) as {
      definitions: Array<{ name: string }>;
    };
    expect(definitions.map(({ name }) => name)).not.toContain('webhook');
  });
});

describe('the webhook of a job that ends outside our workers', () => {
  let headway: Headway;
  let receiver: Receiver;
  let queue: Queue;
  let worker: Worker | undefined;
  beforeAll(async () => {
    headway = await startHeadway({ env: { ...ON, WORKER_JOBS: 'webhook' } });
    queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
    await receiver.stop();
  });
  afterAll(async () => {
    await queue.close();
    await headway.stop();
  });

  const start = (): Promise<StartedJob> =>
    headway.client.start('steps', STEPS, { webhook: { url: receiver.url } });
  const ids = (): unknown[] => receiver.calls.map(({ headers }) => headers['webhook-id']);

  it('is called when a waiting job is cancelled, and again at each later end', async () => {
    receiver = await startReceiver();
    const job = await start();
    for (let end = 1; end <= 3; end++) {
      expect((await headway.client.cancel(job)).status).toBe(200);
      const calls = await receiver.called(end);
      expect(calls[end - 1]!.json).toMatchObject({ type: 'job.cancelled', data: { id: job.id, attempt: 0 } });
      expect((await headway.client.retry(job)).status).toBe(202);
      expect(await headway.connection.pttl(`headway:{job:${job.id}}:webhook`)).toBeGreaterThan(
        364 * 24 * 3_600_000,
      );
    }
    expect(new Set(ids()).size).toBe(3);
    await headway.client.cancel(job);
    await receiver.called(4);
  });

  it.each([
    ['and the job is kept', false],
    ['and the job is removed at once', true],
  ])(
    'is called when a worker that knows only BullMQ has completed the job, %s',
    async (_what, removeOnComplete) => {
      receiver = await startReceiver();
      const job = await start();
      worker = new Worker('steps', async () => ({ steps: 7 }), {
        connection: { host: '127.0.0.1', port: headway.redis.port },
        prefix: '{headway}',
        ...(removeOnComplete ? { removeOnComplete: { count: 0 } } : {}),
      });
      const [call] = await receiver.called(1);
      expect(call!.json).toMatchObject({
        type: 'job.completed',
        data: { id: job.id, name: 'steps', state: 'completed', result: { steps: 7 } },
      });
      await worker.close();
    },
  );

  it('is called when another tool removes the job', async () => {
    receiver = await startReceiver();
    const job = await start();
    await (await queue.getJob(job.id))!.remove();
    const [call] = await receiver.called(1);
    expect(call!.json).toMatchObject({
      type: 'job.cancelled',
      data: { id: job.id, name: 'steps', state: 'cancelled', createdAt: expect.any(Number) },
    });
  });

  it('is called when another tool puts the job back and it fails', async () => {
    receiver = await startReceiver();
    const job = await start();
    await headway.client.cancel(job);
    await receiver.called(1);
    await (await queue.getJob(job.id))!.retry('failed');
    worker = new Worker('steps', () => Promise.reject(new Error('no luck')), {
      connection: { host: '127.0.0.1', port: headway.redis.port },
      prefix: '{headway}',
    });
    const [, second] = await receiver.called(2);
    expect(second!.json).toMatchObject({
      type: 'job.failed',
      data: { id: job.id, error: { message: 'no luck' } },
    });
  });
});

describe('an API that cannot deliver webhooks', () => {
  let headway: Headway;
  afterEach(() => headway.stop());

  it('says that webhooks are disabled, and how to enable them', async () => {
    headway = await borrowHeadway();
    const webhook = { url: 'https://example.com/' };
    const response = await headway.client.post({ name: 'steps', data: STEPS, options: { webhook } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid-request',
      errors: [{ pointer: '/options/webhook', detail: expect.stringMatching(/WEBHOOK_HOSTS/) }],
    });
  });

  it('requires a secret in production if there is no default secret', async () => {
    headway = await startHeadway({
      workers: 0,
      env: { NODE_ENV: 'production', WEBHOOK_HOSTS: 'example.com' },
    });
    const post = (webhook: unknown): Promise<Response> =>
      headway.client.post({ name: 'steps', data: STEPS, options: { webhook } });
    const response = await post({ url: 'https://example.com/' });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '/options/webhook/secret' }] });
    expect((await post({ url: 'https://example.com/', secret: newSecret() })).status).toBe(202);
  });

  it('accepts a webhook that its worker refuses: the delivery fails with the reason', async () => {
    headway = await startHeadway({ workers: 0, env: { ...ON, WORKER_JOBS: 'steps,webhook' } });
    headway.workers.push(await startWorker({ ...headway.env, WEBHOOK_ALLOW_PRIVATE: 'false' }));
    const job = await headway.client.start('steps', STEPS, { webhook: { url: 'https://127.0.0.1:9/' } });
    const shown = await until('the delivery has failed', async () => {
      const { webhook } = (await (await headway.client.get(job)).json()) as JobView;
      return webhook?.state === 'failed' && webhook;
    });
    const delivery = (await (await headway.client.get({ ...job, ...shown })).json()) as object;
    expect(delivery).toMatchObject({
      attempt: 1,
      error: { code: 'permanent', message: expect.stringMatching(/WEBHOOK_ALLOW_PRIVATE/) },
    });
  });
});
