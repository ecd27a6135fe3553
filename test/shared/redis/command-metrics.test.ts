import { afterEach, expect, it } from 'vitest';
import { redisCommands, redisOutages } from '../../../src/shared/metrics/process-metrics.js';
import { countCommands, countOutages } from '../../../src/shared/redis/command-metrics.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

let server: TestRedis | undefined;
afterEach(() => server?.stop());

it('counts a command once that waited for Redis, and no outage before the first connection', async () => {
  server = await startRedis();
  await server.kill();
  const redis = openRedis(server.url, { retryStrategy: () => 10 });
  redis.on('error', () => {});
  const purpose = 'counted in this test';
  countCommands(redis, purpose);
  countOutages(redis, purpose);
  const commands = redisCommands.at(purpose);
  const outages = redisOutages.at(purpose);
  const isAway = (): Promise<true> =>
    until('Redis is away', () => redis.status === 'reconnecting' || undefined);
  try {
    for (const expected of [0, 1]) {
      await isAway();
      const before = commands.value;
      const waiting = Promise.all([1, 2, 3].map(() => redis.ping()));
      expect(commands.value).toBe(before);
      await server.restart();
      await waiting;
      expect(commands.value - before).toBe(3);
      expect(outages.value).toBe(expected);
      await redis.ping();
      expect(commands.value - before).toBe(4);
      await server.kill();
    }
  } finally {
    redis.disconnect();
  }
});
