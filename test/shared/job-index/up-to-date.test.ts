import { type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { createUpToDateCheck } from '../../../src/shared/job-index/up-to-date.js';
import { jobIdOf } from '../../../src/shared/jobs/queues.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createReconciler } from '../../../src/shared/lifecycle/reconcile.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('t');
const prefix = keyspace.queuePrefix;

describe('the check for jobs that need no reconciliation', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  let worker: Worker;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url, { enableAutoPipelining: true });
    queue = new Queue('q', { connection: redis, prefix });
    // Without a processor it takes jobs on demand.
    worker = new Worker('q', undefined, { connection: redis, prefix });
    await worker.waitUntilReady();
  });
  afterEach(() => redis.flushall());
  afterAll(async () => {
    await worker.close();
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  const keep = createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 });
  const track = (id: string) => createTracker({ redis, keyspace, keep })(jobIdOf({ queue: 'q', id }));
  const reconcile = (id: string) =>
    createReconciler({
      redis,
      keyspace,
      publisher: createPublisher({ redis, keyspace, logLength: 100, ttlMs: 60_000, sharded: true }),
      readJob: createTracker({ redis, keyspace, keep }),
      keep,
    }).reconcile(jobIdOf({ queue: 'q', id }));
  const check = async (...ids: string[]): Promise<string[]> => {
    const found = await createUpToDateCheck(redis, keyspace)(
      'q',
      ids.map((id) => jobIdOf({ queue: 'q', id })),
    );
    return ids.filter((id) => found.has(jobIdOf({ queue: 'q', id })));
  };
  async function take(id: string): Promise<Job> {
    await queue.add('n', {}, { jobId: id });
    return (await worker.getNextJob('token'))!;
  }
  const complete = (job: Job) => job.moveToCompleted('done', 'token', false);

  it('finds a job once its state is published and indexed, and not before', async () => {
    const job = await take('a');
    expect(await check('a')).toEqual([]);
    await track('a');
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    expect(await check('a', 'missing')).toEqual(['a']);
    await complete(job);
    expect(await check('a')).toEqual([]);
    // Indexed by a process that died before it published the end.
    await track('a');
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    expect(await check('missing', 'a')).toEqual(['a']);
  });

  it('returns the owner of each job', async () => {
    await queue.add('n', {}, { jobId: 'a', headway: { owner: 'user:1' } } as never);
    await worker.getNextJob('token');
    await reconcile('a');
    expect(await createUpToDateCheck(redis, keyspace)('q', ['q..a'])).toEqual(new Map([['q..a', 'user:1']]));
  });

  it('finds a waiting job, unless its queue is paused', async () => {
    await queue.add('n', {}, { jobId: 'a' });
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    expect(await check('a')).toEqual(['a']);
    await queue.pause();
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    await queue.resume();
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    expect(await check('a')).toEqual(['a']);
  });

  it('finds no job that waits for something else than its first run', async () => {
    await queue.add('n', {}, { jobId: 'later', delay: 60_000 });
    await queue.add('n', {}, { jobId: 'first', priority: 1 });
    const ids = ['later', 'first'];
    for (const id of ids) await reconcile(id);
    expect(await check(...ids)).toEqual([]);
  });

  it('finds no job that was retried or has run again', async () => {
    await queue.add('n', {}, { jobId: 'a' });
    const job = (await worker.getNextJob('token'))!;
    await complete(job);
    await reconcile('a');
    await job.retry('completed');
    expect(await check('a')).toEqual([]);
    const again = (await worker.getNextJob('token'))!;
    expect(await check('a')).toEqual([]);
    await complete(again);
    await track('a');
    expect(await check('a')).toEqual([]);
    await reconcile('a');
    expect(await check('a')).toEqual(['a']);
  });

  it('finds no new job under the id of an old one', async () => {
    const job = await take('a');
    await complete(job);
    await reconcile('a');
    await job.remove();
    await complete(await take('a'));
    expect(await check('a')).toEqual([]);
  });

  it.each([
    ['a job that was asked to stop', (key: string) => redis.hset(key, 'hw:cancel', 'asked')],
    [
      'a job whose worker writes only to the log of BullMQ',
      (key: string) => redis.rpush(`${key}:logs`, 'one'),
    ],
    ['a job whose lock has expired', (key: string) => redis.del(`${key}:lock`)],
  ])('leaves %s to the reconciliation', async (_what, change) => {
    await take('a');
    await reconcile('a');
    expect(await check('a')).toEqual(['a']);
    await change(keyspace.queueKey('q', 'a'));
    expect(await check('a')).toEqual([]);
  });

  it('leaves failed jobs, scheduled runs, and parents with pending children to the reconciliation', async () => {
    await (await take('broken')).moveToFailed(new UnrecoverableError('no'), 'token', false);
    await complete(await take('parent'));
    await redis.sadd(`${keyspace.queueKey('q', 'parent')}:dependencies`, 'child');
    const ids = ['broken', 'parent'];
    for (const id of ids) await reconcile(id);
    expect(await check(...ids)).toEqual([]);
    await redis.del(`${keyspace.queueKey('q', 'parent')}:dependencies`);
    expect(await check('parent', 'repeat:nightly:1790000000000')).toEqual(['parent']);
  });

  it('is not stopped by keys that another tool has replaced', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await take(id);
    for (const id of ['a', 'b', 'c', 'd']) await reconcile(id);
    await redis.set(keyspace.queueKey('q', 'a'), 'text');
    await redis.set(`${keyspace.queueKey('q', 'b')}:logs`, 'text');
    await redis.set('t:{job:q..c}', 'text');
    expect(await check('a', 'b', 'c', 'd')).toEqual(['d']);
    // Then no job of the queue can be checked.
    await redis.set(keyspace.queueKey('q', 'completed'), 'text');
    expect(await check('a', 'd')).toEqual([]);
  });
});
