import { execFileSync } from 'node:child_process';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverTimedBackend } from '../../../src/shared/runtime/bullmq-backend.js';
import { SteadyWorker } from '../../../src/worker/run/steady-worker.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const ADD_A_JOB = `
  import { Queue } from 'bullmq';
  const queue = new Queue('late', { connection: { url: process.env.REDIS_URL } });
  await queue.add('late', {});
  await queue.close();
`;

describe('a worker that is being closed', () => {
  let redis: TestRedis;
  let connection: Redis;
  beforeAll(async () => {
    redis = await startRedis();
    connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  });
  afterAll(async () => {
    connection.disconnect();
    await redis.stop();
  });

  it('leaves a job that arrived just before, and wakes another worker for it', async () => {
    const queue = new Queue('late', { connection });
    const ran: string[] = [];
    const worker = (name: string): SteadyWorker =>
      new SteadyWorker(
        'late',
        async () => {
          ran.push(name);
        },
        { connection, drainDelay: 3600 },
        serverTimedBackend,
      );
    const waiting = async (): Promise<number> =>
      Number(/blocked_clients:(\d+)/.exec(await connection.info('clients'))?.[1]);
    const closing = worker('closing');
    await until('it waits', async () => (await waiting()) === 1);
    const other = worker('other');
    await until('both wait', async () => (await waiting()) === 2);

    // This process is blocked meanwhile. Redis has woken the worker that has waited longer before it is closed.
    execFileSync(process.execPath, ['--input-type=module', '-e', ADD_A_JOB], {
      env: { ...process.env, REDIS_URL: redis.url },
    });
    await closing.close();
    await until('the other runs it', () => ran.length > 0);
    expect(ran).toEqual(['other']);
    const [job] = await queue.getCompleted();
    expect(job).toMatchObject({ attemptsStarted: 1 });
    await other.close();
    await queue.close();
  });
});
