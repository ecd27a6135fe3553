import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { jobChannel } from '../../../src/shared/channel/keys.js';
import { createPublisher, type Publisher } from '../../../src/shared/channel/publisher.js';
import { createReader } from '../../../src/shared/channel/reader.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { TERMINAL_STATES } from '../../../src/shared/jobs/states.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createReconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { createSnapshotReader } from '../../../src/shared/lifecycle/snapshot.js';
import { createQueues } from '../../../src/shared/runtime/queues.js';
import { createWebhookQueue } from '../../../src/shared/webhooks/delivery.js';
import { createWebhookStore } from '../../../src/shared/webhooks/store.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('test');
const { queuePrefix } = keyspace;

describe('the queue of webhooks', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  let deliveries: Queue;
  afterEach(async () => {
    await queue.close();
    await deliveries.close();
    redis.disconnect();
    await server.stop();
  });

  /** The reconciler of one process, which may die when it is about to publish a terminal event. */
  function reconcilerOf(diesBeforeEnd: boolean) {
    const publisher = createPublisher({ redis, keyspace, logLength: 100, ttlMs: 60_000, sharded: true });
    const dying: Publisher = {
      ...publisher,
      publish: (channel, event, fence) =>
        event.end ? Promise.reject(new Error('killed')) : publisher.publish(channel, event, fence),
    };
    const store = createWebhookStore(redis, keyspace, 60_000);
    const openQueue = createQueues(redis, keyspace, () => {});
    const webhookQueue = createWebhookQueue({ redis, keyspace, openQueue, store, basePath: '/headway' });
    const reconciler = createReconciler({
      redis,
      keyspace,
      publisher: diesBeforeEnd ? dying : publisher,
      readJob: createSnapshotReader(redis, keyspace),
      observers: [webhookQueue],
      keep: createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 }),
    });
    return { store, reconciler };
  }

  it('queues one delivery before the end is published, even when processes race', async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    queue = new Queue('steps', { connection: redis, prefix: queuePrefix });
    deliveries = new Queue('webhook', { connection: redis, prefix: queuePrefix });
    const id = 'steps.1';
    const { store, reconciler } = reconcilerOf(false);
    const job = { name: 'steps', createdAt: 1 };
    await store.add(id, { url: 'https://a.test/', events: [...TERMINAL_STATES], owner: 'user:ada', job });
    await queue.add('steps', {}, { jobId: id, ...{ headway: { webhook: true } } });
    const { Worker } = await import('bullmq');
    const worker = new Worker('steps', undefined, { connection: redis, prefix: queuePrefix });
    const taken = (await worker.getNextJob('token'))!;
    await taken.moveToCompleted('done', 'token', false);
    await worker.close();

    await expect(reconcilerOf(true).reconciler.reconcile(id)).rejects.toThrow('killed');
    const [delivery] = await deliveries.getJobs();
    expect(delivery).toMatchObject({
      id: expect.stringMatching(/^webhook\.[\w-]{43}$/),
      opts: { attempts: 18, headway: { owner: 'user:ada', of: id } },
    });
    expect(JSON.parse(delivery!.data.body)).toMatchObject({
      data: { links: { self: `/headway/v1/jobs/${id}` } },
    });
    const read = createReader(redis, keyspace);
    const before = await read(jobChannel(id), { epoch: '', offset: 0 });
    expect(before!.frames.filter(({ frame }) => frame.includes('event: completed'))).toEqual([]);

    await Promise.all([reconciler, reconcilerOf(false).reconciler].map((one) => one.reconcile(id)));
    const published = await read(jobChannel(id), { epoch: '', offset: 0 });
    expect(published!.frames.filter(({ frame }) => frame.includes('event: completed'))).toHaveLength(1);
    const all = await deliveries.getJobs();
    expect(all.map((one) => [one.id, one.data])).toEqual([[delivery!.id, delivery!.data]]);
  });
});
