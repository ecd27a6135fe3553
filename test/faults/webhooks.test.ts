import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startWorker, type TestProcess } from '../support/processes.js';
import { randomOfTest } from '../support/random-of-test.js';
import { type Receiver, silence, startReceiver } from '../support/receiver.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const SECRET = `whsec_${randomBytes(32).toString('base64')}`;
const ON = {
  WEBHOOK_HOSTS: '127.0.0.1',
  WEBHOOK_ALLOW_PRIVATE: 'true',
  WEBHOOK_SECRET: SECRET,
  LOCK_DURATION_MS: '1000',
  STALLED_INTERVAL_MS: '500',
};
/** The settings of a worker that hands back its jobs when it stops. Their locks last longer than a test. */
const HANDS_BACK = { LOCK_DURATION_MS: '30000', SHUTDOWN_GRACE_MS: '0' };

describe('a webhook', () => {
  let headway: Headway;
  let receiver: Receiver;
  /** The worker that a test has left for the next one. */
  let left: TestProcess | undefined;
  beforeAll(async () => {
    headway = await startHeadway({
      appendOnly: true,
      workers: 0,
      env: { ...ON, WORKER_JOBS: 'steps,webhook' },
    });
  });
  afterEach(async () => {
    const ended = headway.workers.splice(0).filter((worker) => worker !== left);
    await Promise.all(ended.map((worker) => worker.kill()));
    headway.workers.push(...(left ? [left] : []));
    await receiver.stop();
  });
  afterAll(() => headway.stop());

  /** Starts a worker that ends with its test. */
  async function startOne(env: Record<string, string> = {}): Promise<TestProcess> {
    const worker = await startWorker({ ...headway.env, ...env });
    headway.workers.push(worker);
    return worker;
  }
  /** Returns the worker that the last test has left, or starts one. It ends with its test. */
  async function takeOne(env: Record<string, string> = {}): Promise<TestProcess> {
    const worker = left ?? (await startOne(env));
    left = undefined;
    return worker;
  }

  const start = (): Promise<StartedJob> =>
    headway.client.start('steps', { count: 1, intervalMs: 1 }, { webhook: { url: receiver.url } });
  const deliveryState = async (job: StartedJob): Promise<string | undefined> => {
    const view = (await (await headway.client.get(job)).json()) as { webhook?: { state: string } };
    return view.webhook?.state;
  };
  /** Checks that all calls so far are the same signed message. */
  const expectOneMessage = (): void => {
    const { calls } = receiver;
    for (const { body, headers } of calls)
      new Webhook(SECRET).verify(body, headers as Record<string, string>);
    expect(new Set(calls.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
  };

  // The first one: no worker runs yet.
  it('is sent when the worker dies right after its job and only an API process is left', async () => {
    receiver = await startReceiver();
    const job = await start();
    const { Worker } = await import('bullmq');
    const worker = new Worker('steps', undefined, {
      connection: { host: '127.0.0.1', port: headway.redis.port },
      prefix: '{headway}',
    });
    const taken = await until('the job can be taken', () => worker.getNextJob('dead'));
    await taken.moveToCompleted({ steps: 1 }, 'dead', false);
    await worker.close();
    await until('the delivery waits', async () => (await deliveryState(job)) === 'waiting');
    left = await startOne();
    const [call] = await receiver.called(1);
    expect(call!.json).toMatchObject({ type: 'job.completed', data: { id: job.id } });
    await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
  });

  it('is sent again as the same message when its worker dies during the call', async () => {
    receiver = await startReceiver(silence);
    const worker = await takeOne();
    const job = await start();
    await receiver.called(1);
    await worker.kill('SIGKILL');
    left = await startOne(HANDS_BACK);
    await receiver.called(2);
    await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
    expect(receiver.calls).toHaveLength(2);
    expectOneMessage();
  });

  it('is sent again by the next worker at once when its worker is stopped during the call', async () => {
    receiver = await startReceiver(silence);
    const worker = await takeOne(HANDS_BACK);
    const job = await start();
    await receiver.called(1);
    await worker.stop();
    await startOne(HANDS_BACK);
    await receiver.called(2);
    await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
    expectOneMessage();
  });

  it('is sent again after a timeout', async () => {
    receiver = await startReceiver(silence);
    await startOne({ WEBHOOK_TIMEOUT_MS: '200' });
    const job = await start();
    await receiver.called(2);
    await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
    expectOneMessage();
  });

  it('is sent although Redis is killed between the end of the job and the call', async () => {
    receiver = await startReceiver();
    await startOne({ WORKER_JOBS: 'steps' });
    const job = await start();
    await until('the delivery waits', async () => (await deliveryState(job)) === 'waiting');
    expect(receiver.calls).toEqual([]);
    await headway.redis.kill('SIGKILL');
    await headway.redis.restart();
    await startOne({ WORKER_JOBS: 'webhook' });
    await receiver.called(1);
    await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
    expectOneMessage();
  });

  it('is sent for every job once although workers die again and again', async () => {
    receiver = await startReceiver();
    const env = { MAX_STALLS: '1000' };
    const workers = await Promise.all([startOne(env), startOne(env)]);
    const { client } = headway;
    const jobs = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        client.start(
          'steps',
          { count: 5, intervalMs: 40, ...(i % 4 === 3 ? { failAt: 3 } : {}) },
          { webhook: { url: receiver.url } },
        ),
      ),
    );
    const streams = await Promise.all(
      jobs.map((job) => openStream(client.events(job), { token: job.token })),
    );
    const all = Promise.all(streams.map(({ ended }) => ended));
    const random = randomOfTest();
    let done = false;
    void all.then(() => {
      done = true;
    });
    for (let round = 0; round < 3 && !done; round++) {
      await new Promise((resolve) => setTimeout(resolve, random.between(100, 400)));
      await workers[round % 2]!.kill('SIGKILL');
      workers[round % 2] = await startOne(env);
    }
    await all;
    for (const job of jobs) {
      await until('the webhook is delivered', async () => (await deliveryState(job)) === 'completed');
    }
    const messages = new Map(receiver.calls.map(({ headers, json }) => [headers['webhook-id'], json]));
    expect(messages.size).toBe(jobs.length);
    const types = new Map(Array.from(messages.values(), ({ type, data }) => [data.id, type]));
    for (const [i, { id }] of jobs.entries()) {
      expect(types.get(id)).toBe(i % 4 === 3 ? 'job.failed' : 'job.completed');
    }
  });
});
