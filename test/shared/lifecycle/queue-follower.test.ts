import { Queue } from 'bullmq';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { startQueueFollower } from '../../../src/shared/lifecycle/queue-follower.js';
import type { Reconciled } from '../../../src/shared/lifecycle/reconcile.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { startProxy } from '../../support/proxy.js';
import { allScripts, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

describe('the queue follower', () => {
  it('resumes after its connection has fallen silent without being closed', async () => {
    const server = await startRedis({ single: true });
    const proxy = await startProxy(Number(new URL(server.url).port));
    const redis = connectRedis(server.url, 'patient', { scripts: allScripts });
    const queue = new Queue('steps', { connection: redis, prefix: '{test}' });
    const seen = new Set<string>();
    const queueFollower = startQueueFollower({
      role: 'worker',
      redis,
      connect: () => connectRedis(`redis://127.0.0.1:${proxy.port}`, 'patient'),
      keyspace: createKeyspace('test'),
      queues: ['steps'],
      reconciler: {
        async reconcile(jobId): Promise<Reconciled> {
          seen.add(jobId);
          return { job: undefined, epoch: undefined, end: undefined };
        },
      },
      progressIntervalMs: 100,
      chore: async () => {},
      log: pino({ level: 'silent' }),
    });
    await queue.add('steps', {}, { jobId: 'steps.1' });
    await until('the first event is handled', () => seen.has('steps.1'));
    proxy.freeze();
    await queue.add('steps', {}, { jobId: 'steps.2' });
    await until('the second event is handled', () => seen.has('steps.2'));
    await queueFollower.stop();
    await queue.close();
    redis.disconnect();
    proxy.stop();
    await server.stop();
  });

  it('does not wait for slow jobs, and loses none that Redis refused for a while', async () => {
    const server = await startRedis({ single: true });
    const redis = connectRedis(server.url, 'patient', { scripts: allScripts });
    const queue = new Queue('steps', { connection: redis, prefix: '{test}' });
    const seen: string[] = [];
    let finishSlow = (): void => {};
    const slow = new Promise<void>((resolve) => {
      finishSlow = resolve;
    });
    const queueFollower = startQueueFollower({
      role: 'worker',
      redis,
      connect: () => connectRedis(server.url, 'patient'),
      keyspace: createKeyspace('test'),
      queues: ['steps'],
      reconciler: {
        async reconcile(jobId): Promise<Reconciled> {
          if (jobId === 'steps.slow') await slow;
          // While Redis is a replica, it refuses this call like any other.
          await redis.set(`seen:${jobId}`, 'yes');
          seen.push(jobId);
          return { job: undefined, epoch: undefined, end: undefined };
        },
      },
      progressIntervalMs: 100,
      chore: async () => {},
      log: pino({ level: 'silent' }),
    });
    await queue.add('steps', {}, { jobId: 'steps.slow' });
    await queue.add('steps', {}, { jobId: 'steps.1' });
    await until('the other jobs are handled', () => seen.includes('steps.1'));
    await queue.add('steps', {}, { jobId: 'steps.2' });
    await until('later jobs are handled too', () => seen.includes('steps.2'));
    expect(seen).not.toContain('steps.slow');
    // The position is stored for the next leader.
    expect(await redis.hget('test:{bridge}:cursor', 'steps')).toBeNull();
    finishSlow();
    await until('the slow job is handled', () => seen.includes('steps.slow'));

    // BullMQ writes the event, but Redis refuses the follower's writes for longer than the lease lasts.
    await redis
      .multi()
      .xadd('{test}:steps:events', '*', 'event', 'waiting', 'jobId', 'steps.3')
      .replicaof('127.0.0.1', '1')
      .exec();
    await until('it was refused', async () => /(?:rejected|failed)_calls=[1-9]/.test(await stats()));
    await redis.replicaof('NO', 'ONE');
    await until('the job is handled in the end', () => seen.includes('steps.3'));
    await queueFollower.stop();
    await queue.close();
    redis.disconnect();
    await server.stop();

    async function stats(): Promise<string> {
      const info = await redis.info('commandstats');
      return info.split('\n').find((line) => line.startsWith('cmdstat_set:')) ?? '';
    }
  });
});
