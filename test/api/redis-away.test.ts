import { afterEach, describe, expect, it } from 'vitest';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { isRedisFault } from '../../src/shared/redis/faults.js';
import { plainRedis } from '../support/channel.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const WRITE = "return redis.call('SET', KEYS[1], ARGV[1])";

describe("Redis' errors while it cannot serve are answered with 503", () => {
  let redis: TestRedis;
  afterEach(() => redis.stop());

  /** Sends calls of every kind, interrupts them, and returns the errors. */
  async function rejections(
    during: (plain: ReturnType<typeof plainRedis>) => Promise<unknown>,
  ): Promise<Error[]> {
    redis = await startRedis();
    const connection = connectRedis(redis.url, 'request');
    const plain = plainRedis(redis.url);
    plain.on('error', () => {});
    await until('it is connected', () => connection.status === 'ready');
    await during(plain);
    const settled = Promise.allSettled([
      connection.set('a', 1),
      connection.eval(WRITE, 1, 'a', 'x'),
      connection.hset('h', 'a', 1),
    ]);
    // Now the calls are sent and not answered yet.
    await new Promise(setImmediate);
    if (during === frozen) await redis.kill();
    const results = await settled;
    connection.disconnect();
    plain.disconnect();
    return results.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  }
  const frozen = async (): Promise<void> => redis.signal('SIGSTOP');

  it.each([
    ['cut in the middle of calls', frozen],
    ['full', (plain: ReturnType<typeof plainRedis>) => plain.config('SET', 'maxmemory', '1')],
    ['a replica now', (plain: ReturnType<typeof plainRedis>) => plain.replicaof('127.0.0.1', 1)],
    [
      'without enough replicas',
      (plain: ReturnType<typeof plainRedis>) => plain.config('SET', 'min-replicas-to-write', '1'),
    ],
  ])('%s', async (_what, during) => {
    const errors = await rejections(during);
    expect(errors.length).toBeGreaterThanOrEqual(2);
    for (const error of errors) {
      expect(isRedisFault(error), `${error.name}: ${error.message}`).toBe(true);
    }
  });

  it('including an aborted command, but not other aborts and not our own errors', async () => {
    redis = await startRedis();
    const plain = plainRedis(redis.url);
    // ioredis throws this error for the unanswered rest of a pipeline.
    const aborted = Object.assign(new Error('Command aborted due to connection close'), {
      name: 'AbortError',
    });
    expect(isRedisFault(aborted)).toBe(true);
    expect(isRedisFault(AbortSignal.abort().reason)).toBe(false);
    await plain.set('a', 1);
    expect(isRedisFault(await plain.hget('a', 'b').catch((error) => error))).toBe(false);
    expect(isRedisFault(await plain.eval('return nope()', 0).catch((error) => error))).toBe(false);
    plain.disconnect();
  });
});
