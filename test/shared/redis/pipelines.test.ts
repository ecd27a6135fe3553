import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { startRedis, type TestRedis } from '../../support/redis.js';

const scripts = { double: { lua: 'return ARGV[1] * 2', numberOfKeys: 0 } };
type Scripts = { double(n: number): Promise<number>; triple(n: number): Promise<number> };

describe('the pipelines of a connection', () => {
  let redis: TestRedis;
  let client: ReturnType<typeof connectRedis>;

  beforeAll(async () => {
    redis = await startRedis();
    client = connectRedis(redis.url, 'patient', { scripts });
  });
  afterAll(async () => {
    client.disconnect();
    await redis.stop();
  });

  it('know the scripts, also those that are defined later', async () => {
    const on = (commands: object): Scripts => commands as Scripts;
    expect(await Promise.all([on(client).double(1), on(client).double(2)])).toEqual([2, 4]);
    client.defineCommand('triple', { lua: 'return ARGV[1] * 3', numberOfKeys: 0 });
    expect(await Promise.all([on(client).triple(1), on(client).double(2)])).toEqual([3, 4]);
    for (const made of [client.pipeline(), client.pipeline([['echo', 'a']]), client.multi()]) {
      void on(made).double(2);
      void on(made).triple(2);
      made.get('none');
      const results = await made.exec();
      expect(results?.slice(-3)).toEqual([
        [null, 4],
        [null, 6],
        [null, null],
      ]);
    }
    const listed = client.pipeline([
      ['double', '5'],
      ['echo', 'a'],
    ]);
    expect(await listed.exec()).toEqual([
      [null, 10],
      [null, 'a'],
    ]);
  });

  it('do not have a copy of each script', async () => {
    await client.ping();
    expect(Object.keys(client.pipeline())).not.toContain('double');
  });
});
