import { Queue } from 'bullmq';
import { pino } from 'pino';
import { describe, it } from 'vitest';
import { startBridge } from '../../../src/shared/lifecycle/bridge.js';
import type { Reconciled } from '../../../src/shared/lifecycle/reconcile.js';
import { connectRedis } from '../../../src/shared/redis.js';
import { startProxy } from '../../support/proxy.js';
import { startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

describe('the bridge', () => {
  it('goes on when its connection has fallen silent without being closed', async () => {
    const server = await startRedis();
    const proxy = await startProxy(Number(new URL(server.url).port));
    const redis = connectRedis(server.url, 'patient');
    const queue = new Queue('steps', { connection: redis, prefix: '{test}' });
    const seen = new Set<string>();
    const bridge = startBridge({
      role: 'worker',
      redis,
      connect: () => connectRedis(`redis://127.0.0.1:${proxy.port}`, 'patient'),
      prefix: 'test',
      queuePrefix: '{test}',
      queues: ['steps'],
      lifecycle: {
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
    await until('the first event is seen to', () => seen.has('steps.1'));
    proxy.freeze();
    await queue.add('steps', {}, { jobId: 'steps.2' });
    await until('the second one too', () => seen.has('steps.2'));
    await bridge.stop();
    await queue.close();
    redis.disconnect();
    proxy.stop();
    await server.stop();
  });
});
