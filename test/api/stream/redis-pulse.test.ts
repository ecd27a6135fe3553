import { expect, it, onTestFinished } from 'vitest';
import { watchPulse } from '../../../src/api/stream/redis-pulse.js';
import { connectSubscriber } from '../../../src/shared/redis/connect.js';
import { startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

it('Redis is back after a restart, although the connection ended with a ping that is never answered', async () => {
  const server = await startRedis({ single: true });
  const redis = connectSubscriber(server.url);
  const seen: boolean[] = [];
  const pulse = watchPulse({
    connections: [redis],
    needed: () => true,
    onCheck: (away) => void seen.push(away),
  });
  onTestFinished(async () => {
    await pulse.stop();
    redis.disconnect();
    await server.stop();
  });
  await until('Redis answers', () => seen.at(-1) === false);
  // A frozen server receives a ping, and does not answer it before it is killed.
  server.signal('SIGSTOP');
  await until('Redis is away', () => seen.at(-1) === true);
  await server.kill();
  await server.restart();
  await until('Redis answers again', () => seen.at(-1) === false);
  expect(redis.status).toBe('ready');
});
