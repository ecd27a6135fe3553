import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTracker } from '../../../src/shared/job-index/tracker.js';
import { createRetentionTimes } from '../../../src/shared/jobs/retention-times.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

const keyspace = createKeyspace('test');
const keep = createRetentionTimes({ KEEP_JOBS_MS: 60_000, GONE_JOBS_MS: 60_000 });

describe('reading and indexing jobs', () => {
  let server: TestRedis;
  let redis: Redis;
  let queue: Queue;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
    queue = new Queue('q', { connection: redis, prefix: keyspace.queuePrefix });
  });
  afterAll(async () => {
    await queue.close();
    redis.disconnect();
    await server.stop();
  });

  it('reads all jobs of a turn in one call, and an error is that of one job', async () => {
    const track = createTracker({ redis, keyspace, keep });
    await queue.add('good', {}, { jobId: 'first' });
    await queue.add('bad', {}, { jobId: 'second' });
    await queue.add('good', {}, { jobId: 'third', delay: 60_000 });
    // Another program has replaced a key of the index.
    await redis.set('{test}.index:all:waiting:name:bad', 'no sorted set');
    const calls = vi.spyOn(redis as unknown as { trackJobs(): unknown }, 'trackJobs');
    const read = await Promise.allSettled(
      ['first', 'second', 'third', 'none'].map((id) => track(`q..${id}`)),
    );
    expect(calls).toHaveBeenCalledOnce();
    expect(read).toEqual([
      { status: 'fulfilled', value: expect.objectContaining({ id: 'q..first', state: 'waiting' }) },
      { status: 'rejected', reason: expect.objectContaining({ name: 'ReplyError' }) },
      { status: 'fulfilled', value: expect.objectContaining({ id: 'q..third', state: 'delayed' }) },
      { status: 'fulfilled', value: undefined },
    ]);
    expect(await redis.zrange('{test}.index:all:waiting:name:good', '0', '-1')).toEqual(['q..first']);
    expect(await redis.zrange('{test}.index:all:delayed', '0', '-1')).toEqual(['q..third']);
  });
});
