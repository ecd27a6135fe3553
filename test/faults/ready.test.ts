import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { Scrape } from '../support/prometheus.js';
import { until } from '../support/until.js';

describe('/readyz while Redis answers but refuses commands', () => {
  let headway: Headway;
  let redis: Redis;
  beforeAll(async () => {
    // The server takes 20 ms to load a key, and answers commands between keys.
    const redisArgs = ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'];
    headway = await startHeadway({ workers: 0, redisArgs });
    redis = headway.connection;
  });
  afterAll(() => headway.stop());

  const readyz = (): Promise<Response> => fetch(`${headway.api.url}/readyz`);
  const ready = async (): Promise<number> => (await readyz()).status;
  const start = (): Promise<Response> =>
    headway.client.post({ name: 'steps', data: { count: 1, intervalMs: 1 } });

  const dumpFile = async (): Promise<string> =>
    join(((await redis.config('GET', 'dir')) as [string, string])[1], 'dump.rdb');

  async function saveFails(): Promise<void> {
    // A folder with the name of the file makes saving fail.
    mkdirSync(join(await dumpFile(), 'x'), { recursive: true });
    await redis.config('SET', 'save', '3600 1');
    await redis.bgsave();
    await until('saving has failed', async () =>
      (await redis.info('persistence')).includes('rdb_last_bgsave_status:err'),
    );
  }

  async function isBusy(): Promise<void> {
    await redis.config('SET', 'lua-time-limit', '20');
    const other = new Redis(headway.redis.url);
    other.on('error', () => {});
    // The script runs until SCRIPT KILL.
    other
      .eval('while true do end', 0)
      .catch(() => {})
      .finally(() => other.disconnect());
    await until('Redis is busy', () =>
      redis.ping().then(
        () => false,
        (error: Error) => error.message.startsWith('BUSY'),
      ),
    );
  }

  it('returns 503 while Redis loads its data, and says so', async () => {
    await redis.eval("for i = 1, 500 do redis.call('SET', 'key' .. i, string.rep('x', 1024)) end", 0);
    await redis.save();
    await headway.redis.kill();
    const restarted = headway.redis.restart();
    await until('/readyz says so', async () => (await (await readyz()).text()).includes('(LOADING)'));
    const plain = new Redis(headway.redis.url, { enableReadyCheck: false, retryStrategy: () => 20 });
    await plain.config('SET', 'key-load-delay', '0');
    plain.disconnect();
    await restarted;
    await until('the API is ready', async () => (await ready()) === 200);
    rmSync(await dumpFile());
  });

  it.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    ['READONLY', () => redis.replicaof('127.0.0.1', 1), () => redis.replicaof('NO', 'ONE')],
    [
      'MASTERDOWN',
      async () => {
        await redis.config('SET', 'replica-serve-stale-data', 'no');
        await redis.replicaof('127.0.0.1', 1);
      },
      () => redis.replicaof('NO', 'ONE'),
    ],
    ['OOM', () => redis.config('SET', 'maxmemory', '1'), () => redis.config('SET', 'maxmemory', '0')],
    [
      'NOREPLICAS',
      () => redis.config('SET', 'min-replicas-to-write', '1'),
      () => redis.config('SET', 'min-replicas-to-write', '0'),
    ],
    ['MISCONF', saveFails, () => redis.config('SET', 'save', '')],
    ['BUSY', isBusy, () => redis.script('KILL')],
  ])('returns 503, as other calls do, while Redis replies with %s', async (what, breaks, mends) => {
    expect(await ready()).toBe(200);
    await breaks();
    // A write to a replica is refused as such, whatever else is wrong.
    const state = what === 'MASTERDOWN' ? 'READONLY' : what;
    const notReady = await readyz();
    expect([notReady.status, notReady.headers.get('retry-after'), await notReady.json()]).toMatchObject([
      503,
      '2',
      { code: 'unavailable', detail: expect.stringContaining(`(${state})`) },
    ]);
    const refused = await start();
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: 'unavailable' }]);
    await mends();
    await until('the API is ready', async () => (await ready()) === 200);
    expect((await start()).status).toBe(202);
    expect(await redis.exists('{headway}.ready')).toBe(0);
  });

  it('the metrics are served without waiting for a Redis that does not answer, with the last known values', async () => {
    const scrape = (): Promise<Scrape> => Scrape.of(headway.api.metrics);
    const isUp = async (): Promise<boolean> => (await scrape()).value('headway_redis_up') === 1;
    expect((await start()).status).toBe(202);
    const waiting = await until('the job is counted', async () =>
      (await scrape()).value('headway_jobs', { kind: 'steps', state: 'waiting' }),
    );
    headway.redis.signal('SIGSTOP');
    try {
      await until('Redis counts as away', async () => !(await isUp()));
      const known = await scrape();
      expect(known.value('headway_jobs', { kind: 'steps', state: 'waiting' })).toBe(waiting);
      expect(known.value('headway_queue_jobs', { queue: 'steps', state: 'waiting' })).toBe(waiting);
    } finally {
      headway.redis.signal('SIGCONT');
    }
    await until('Redis is back', isUp);
  });
});
