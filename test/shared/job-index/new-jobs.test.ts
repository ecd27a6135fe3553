import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createNewJobIndexer } from '../../../src/shared/job-index/new-jobs.js';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { defineJob } from '../../../src/shared/jobs/definition.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createExpiry } from '../../../src/shared/lifecycle/expiry.js';
import { createEnqueue } from '../../../src/shared/runtime/enqueue.js';
import { createQueues } from '../../../src/shared/runtime/queues.js';
import { createWebhookStore } from '../../../src/shared/webhooks/store.js';
import { ON_CLUSTER, openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('t');
const { queuePrefix: BULLMQ } = keyspace;
const FILE = `file_${'a'.repeat(27)}`;
const headway = { owner: 'user:ada', tags: ['red', 'blue'] };

describe('the index of new jobs', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, { enableAutoPipelining: true });
    queue = new Queue('q', { connection: redis, prefix: BULLMQ });
    await queue.waitUntilReady();
  });
  afterEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const keep = createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 });
  const addJob = (id: string, opts: object = {}) =>
    queue.add('n', { file: FILE }, { jobId: id, timestamp: 1000, headway, ...opts } as object);

  /** Returns everything that the index holds. */
  async function index(): Promise<Record<string, unknown>> {
    const keys = (await redis.keys(`${BULLMQ}.*`)).sort();
    return Object.fromEntries(
      await Promise.all(
        keys.map(async (key) => {
          const isHash = (await redis.type(key)) === 'hash';
          return [key, isHash ? await redis.hgetall(key) : await redis.zrange(key, '0', '-1', 'WITHSCORES')];
        }),
      ),
    );
  }

  it.each([
    ['waiting', {}],
    ['delayed', { delay: 60_000 }],
    ['delayed', { delay: 60_000, priority: 2 }],
    ['prioritized', { priority: 2 }],
    ['waiting', { headway: undefined }],
    ['waiting', { headway: 'nonsense' }],
  ])('is what reading a job makes of it: %s, %j', async (state, opts) => {
    await addJob('one', opts);
    await createTracker({ redis, keyspace, keep })('q..one');
    const expected = await index();
    expect(Object.keys(expected).length).toBeGreaterThan(3);
    await redis.unlink(...Object.keys(expected));
    expect(await createNewJobIndexer(redis, keyspace)('q..one')).toBe(state);
    expect(await index()).toEqual(expected);
  });

  it('leaves out a job that is missing, and one that is indexed already', async () => {
    const indexNew = createNewJobIndexer(redis, keyspace);
    await addJob('done', { delay: 60_000 });
    await createTracker({ redis, keyspace, keep })('q..done');
    await queue.add('n', {}, { jobId: 'other' });
    await redis.set(keyspace.queueKey('q', 'odd'), 'text');
    const before = await index();
    expect(await Promise.all(['q..done', 'q..missing', 'q..odd'].map(indexNew))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(await index()).toEqual(before);
    expect(await Promise.all(['q..odd', 'q..other'].map(indexNew))).toEqual([undefined, 'waiting']);
  });

  it('takes a call for a hundred jobs', async () => {
    const ids = Array.from({ length: 250 }, (_, i) => `many${i}`);
    await queue.addBulk(ids.map((id) => ({ name: 'n', data: {}, opts: { jobId: id } })));
    const indexNew = createNewJobIndexer(redis, keyspace);
    await indexNew('q..first');
    await redis.config('RESETSTAT');
    const states = await Promise.all(ids.map((id) => indexNew(`q..${id}`)));
    expect(states).toEqual(ids.map(() => 'waiting'));
    expect(await redis.info('commandstats')).toMatch(/cmdstat_evalsha:calls=3,/);
    expect(await redis.zcard(`${BULLMQ}.index:all:waiting`)).toBe(250);
  });

  // The connection to a Cluster has no stream of its own.
  it.skipIf(ON_CLUSTER)('is updated in the round trip that queues the jobs', async () => {
    const openQueue = createQueues(redis, keyspace, () => {});
    // Its result comes when the queue has been opened, and has written its own settings.
    await openQueue('n').getVersion();
    const enqueue = createEnqueue({
      redis,
      keyspace,
      openQueue,
      publisher: createPublisher({ redis, keyspace, logLength: 10, ttlMs: 60_000, sharded: true }),
      expiry: createExpiry(redis, keyspace),
      webhooks: createWebhookStore(redis, keyspace, 60_000),
      indexNew: createNewJobIndexer(redis, keyspace),
      oneTurn: true,
    });
    const definition = defineJob({ name: 'n', input: z.object({}), result: z.null(), run: async () => null });
    const start = (id: string) => enqueue({ id, definition, data: {}, options: {} });
    // The scripts are sent once for each connection.
    await start('n.first');
    const { stream } = redis as unknown as { stream: NodeJS.WritableStream };
    const write = vi.spyOn(stream, 'write');
    try {
      const ids = ['n.1', 'n.2', 'n.3'];
      expect(await Promise.all(ids.map(start))).toEqual(ids.map((id) => ({ id, state: 'waiting' })));
      expect(write).toHaveBeenCalledTimes(1);
    } finally {
      write.mockRestore();
    }
  });
});
