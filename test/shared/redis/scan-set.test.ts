import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { createChildRegister } from '../../../src/shared/lifecycle/children.js';
import { scanSet } from '../../../src/shared/redis/scan-set.js';
import { startRedis } from '../../support/redis.js';

it('scanSet and the register of children read ten thousand members in batches, each once', async () => {
  const server = await startRedis();
  const redis = new Redis(server.url, { maxRetriesPerRequest: null });
  const members = Array.from({ length: 10_000 }, (_, i) => `{t}:q:q.c${i}`);
  await redis.sadd('{t}:q:q.p:dependencies', ...members);
  const found = await scanSet(redis, '{t}:q:q.p:dependencies');
  expect(found.sort()).toEqual([...members].sort());
  const register = createChildRegister(redis, createKeyspace('t'), async () => undefined);
  expect(await register.pending('q.p')).toHaveLength(10_000);
  expect(await redis.info('commandstats')).not.toContain('cmdstat_smembers');
  redis.disconnect();
  await server.stop();
});
