import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: TestRedis;
beforeAll(async () => {
  // A server that takes 20 ms for each key that it loads, and answers meanwhile.
  const args = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'];
  redis = await startRedis({ appendOnly: true, args: [...args, '--aof-use-rdb-preamble', 'yes'] });
});
afterAll(() => redis.stop());

it('a connection is ready soon after Redis has loaded its file, however long Redis guessed that to take', async () => {
  const connection = connectRedis(redis.url, 'patient');
  const plain = new Redis(redis.url, { enableReadyCheck: false, retryStrategy: () => 20 });
  plain.on('error', () => {});
  await connection.eval("for i = 1, 4000 do redis.call('SET', 'key' .. i, 'x') end", 0);
  await plain.bgrewriteaof();
  await until('rewritten', async () => /aof_rewrite_in_progress:0/.test(await plain.info('persistence')));
  await redis.kill();
  const restarted = redis.restart();
  const isLoading = async () => /LOADING/.test(await plain.ping().catch((error: Error) => error.message));
  await until('loading', isLoading);
  await until('asked', () => connection.status === 'connect');
  await until('looked at it', async () => /cmd=info/.test(String(await plain.client('LIST'))));
  // It guesses more than a minute, and is through at once. ioredis by itself does not ask again for ten seconds.
  await plain.config('SET', 'key-load-delay', '0');
  await until('loaded', async () => !(await isLoading()));
  const loadedAt = Date.now();
  await until('ready', () => connection.status === 'ready');
  expect(Date.now() - loadedAt).toBeLessThan(4000);
  await restarted;
  connection.disconnect();
  plain.disconnect();
});
