import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isFromReplica, isRedisFault } from '../../../src/shared/redis/faults.js';
import { startRedis, type TestRedis } from '../../support/redis.js';

describe('an error of a call to Redis', () => {
  let server: TestRedis;
  let redis: Redis;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    await redis.set('text', 'no hash');
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  const errorOf = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => expect.unreachable(),
      (error) => error,
    );
  const inScript = (...words: string[]): Promise<unknown> =>
    redis.eval(`return redis.call(${words.map((word) => `'${word}'`).join(', ')})`, 0);

  it('is not a fault of Redis if another call would succeed', async () => {
    const calls = [
      redis.hget('text', 'field'),
      inScript('HGET', 'text', 'field'),
      redis.eval('return nil + 1', 0),
      redis.zadd('set', 'no number', 'member'),
      new Response('no JSON').json(),
    ];
    for (const error of await Promise.all(calls.map(errorOf))) expect(isRedisFault(error)).toBe(false);
  });

  // The second message is that of Redis 6.
  it.each([
    ["READONLY You can't write against a read only replica. script: 1f, on @user_script:1.", true],
    [
      "ERR Error running script (call to f_1f): @user_script:47: @user_script: 47: -READONLY You can't write",
      true,
    ],
    ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", true],
    ['EXECABORT Transaction discarded because of previous errors.', false],
    ['WRONGTYPE Operation against a key holding READONLY', false],
  ])('shows whether the server is a replica: %s', (message, expected) => {
    expect(isFromReplica(new Error(message))).toBe(expected);
  });

  it.each([
    ['is a replica', ['replicaof', '127.0.0.1', '1'], ['replicaof', 'no', 'one']],
    ['is out of memory', ['config', 'set', 'maxmemory', '1'], ['config', 'set', 'maxmemory', '0']],
  ])('is a fault of Redis if the server %s', async (_what, begin, end) => {
    await redis.call(...(begin as [string, ...string[]]));
    const errors = [await errorOf(redis.set('a', 'b')), await errorOf(inScript('SET', 'a', 'b'))];
    await redis.call(...(end as [string, ...string[]]));
    for (const error of errors) expect([isRedisFault(error), error]).toEqual([true, error]);
  });

  it('is a fault of Redis while a script keeps it busy', async () => {
    await redis.config('SET', 'lua-time-limit', '10');
    const other = new Redis(server.url);
    const busy = other.eval('while true do end', 0).catch(() => {});
    let error: unknown;
    while (!error)
      error = await redis.get('text').then(
        () => undefined,
        (reason) => reason,
      );
    await redis.script('KILL');
    await busy;
    other.disconnect();
    expect([isRedisFault(error), error]).toEqual([true, error]);
  });

  it('is a fault of Redis if the connection is lost or slow', async () => {
    const options = { retryStrategy: null, maxRetriesPerRequest: 0 };
    const gone = new Redis(1, '127.0.0.1', options);
    gone.on('error', () => {});
    const slow = new Redis(server.url, { ...options, commandTimeout: 200 });
    await slow.ping();
    const errors = [
      await errorOf(gone.get('a')),
      await errorOf(slow.blpop('nothing', 1)),
      await errorOf(
        new Redis(server.url, { ...options, lazyConnect: true, enableOfflineQueue: false }).get('a'),
      ),
    ];
    slow.disconnect();
    errors.push(await errorOf(slow.get('a')));
    for (const error of errors) expect([isRedisFault(error), error]).toEqual([true, error]);
  });
});
