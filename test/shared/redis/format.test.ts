import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { checkInstallation, formatKey } from '../../../src/shared/redis/format.js';
import { connectChannels } from '../../../src/shared/runtime/channels.js';
import { openRedis, startRedis, type TestRedis } from '../../support/redis.js';

describe('the format of the data in Redis', () => {
  const keyspace = createKeyspace('headway');
  const key = formatKey(keyspace);
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = openRedis(server.url);
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });
  const check = () => checkInstallation(redis, { url: server.url }, keyspace);

  it('is recorded in an empty Redis and in one without a format, and again when it was older', async () => {
    await check();
    expect(await redis.get(key)).toBe('1');
    await redis.set(key, '0');
    await check();
    expect(await redis.get(key)).toBe('1');
    await check();
  });

  it.each([
    ['2', /format 2, written by a newer release; Headway \S+ reads formats 0 to 1\. Start the newer release/],
    ['1000000000000000000000', /written by a newer release/],
    ['-1', /format -1; .* Upgrade to a release in between first/],
    ['', /key headway:format must hold a number, but holds ""/],
    ['one', /must hold a number, but holds "one"\. Does another program use this KEY_PREFIX\?/],
    ['1.5', /must hold a number/],
  ])('%j is refused and stays as it is', async (stored, message) => {
    await redis.set(key, stored);
    await expect(check()).rejects.toThrow(message);
    await expect(connectChannels({ redisUrl: server.url })).rejects.toThrow(message);
    expect(await redis.get(key)).toBe(stored);
  });

  it('of another type is refused', async () => {
    await redis.hset(key, 'a', 'b');
    await expect(check()).rejects.toThrow('must hold a number, but holds another type');
  });
});
