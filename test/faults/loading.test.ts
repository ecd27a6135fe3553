import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

let redis: TestRedis;
beforeAll(async () => {
  // The server takes 20 ms to load a key, and answers commands between keys.
  const args = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'];
  redis = await startRedis({ appendOnly: true, args: [...args, '--aof-use-rdb-preamble', 'yes'] });
});
afterAll(() => redis.stop());

it('a connection is ready soon after Redis has loaded its file, whatever time Redis had estimated', async () => {
  const connection = connectRedis(redis.url, 'patient');
  const plain = new Redis(redis.url, { enableReadyCheck: false, retryStrategy: () => 20 });
  plain.on('error', () => {});
  await connection.eval("for i = 1, 4000 do redis.call('SET', 'key' .. i, 'x') end", 0);
  await plain.bgrewriteaof();
  await until('the file is rewritten', async () =>
    /aof_rewrite_in_progress:0/.test(await plain.info('persistence')),
  );
  await redis.kill();
  const restarted = redis.restart();
  const isLoading = async () => /LOADING/.test(await plain.ping().catch((error: Error) => error.message));
  await until('Redis is loading', isLoading);
  await until('the connection is open', () => connection.status === 'connect');
  await until('it has asked whether Redis is ready', async () =>
    /cmd=info/.test(String(await plain.client('LIST'))),
  );
  // Redis estimates more than a minute, but finishes at once. ioredis alone would ask again after 10 s.
  await plain.config('SET', 'key-load-delay', '0');
  await until('Redis has loaded the file', async () => !(await isLoading()));
  const loadedAt = Date.now();
  await until('the connection is ready', () => connection.status === 'ready');
  expect(Date.now() - loadedAt).toBeLessThan(4000);
  await restarted;
  connection.disconnect();
  plain.disconnect();
});
