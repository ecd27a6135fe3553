import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { connectRedis } from '../../../src/shared/redis/connect.js';
import { createQueues } from '../../../src/shared/runtime/queues.js';
import { createShardCheck } from '../../../src/shared/runtime/shard-check.js';
import { recordShards, shardsKey, watchShards } from '../../../src/shared/runtime/shards.js';
import { createScheduleStore } from '../../../src/shared/schedules/store.js';
import { allScripts, startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const log = pino({ level: 'silent' });
const queues = ['steps'];

describe('the record of shards', () => {
  let server: TestRedis;
  let redis: ReturnType<typeof connectRedis>;
  beforeAll(async () => {
    server = await startRedis();
    redis = connectRedis(server.url, 'patient', { scripts: allScripts });
  });
  beforeEach(() => redis.flushall());
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('a process that ended before it had paused the queues of new shards is followed by one that does', async () => {
    const keyspace = createKeyspace('test', 2);
    const openQueue = createQueues(redis, keyspace, () => {});
    await openQueue('steps').pause();
    const ending = (queue: string) => {
      if (queue !== 'steps') throw new Error('the process ends');
      return openQueue(queue);
    };
    await expect(recordShards({ redis, keyspace, openQueue: ending, queues })).rejects.toThrow('ends');
    await recordShards({ redis, keyspace, openQueue, queues });
    expect(await openQueue('steps~s1').isPaused()).toBe(true);
    expect(await redis.smembers(shardsKey(keyspace))).toEqual(['2']);
  });

  it('shards of earlier processes are recorded again after Redis has lost them', async () => {
    const keyspace = createKeyspace('test', 1);
    const openQueue = createQueues(redis, keyspace, () => {});
    const joining = { redis, keyspace, openQueue, queues };
    await redis.sadd(shardsKey(keyspace), 3);
    await recordShards(joining);
    const watch = watchShards({ ...joining, log });
    await redis.del(shardsKey(keyspace));
    redis.disconnect(true);
    await until('it is recorded', async () => (await redis.sismember(shardsKey(keyspace), 3)) === 1);
    expect(keyspace.shards.known).toBe(3);
    await watch.stop();
  });

  it('a shard with a paused schedule stays in use', async () => {
    const keyspace = createKeyspace('test', 1);
    const openQueue = createQueues(redis, keyspace, () => {});
    const store = createScheduleStore(redis, keyspace);
    const schedule = { ...SCHEDULE, queue: 'steps~s1' };
    expect(await store.save(schedule)).toBe('saved');
    await redis.sadd(shardsKey(keyspace), 2);
    await recordShards({ redis, keyspace, openQueue, queues });
    await createShardCheck({ redis, keyspace, queues, log }).check();
    expect(keyspace.shards.known).toBe(2);
    await store.save({ ...schedule, queue: 'steps', version: 2, timedIn: 2 });
    await createShardCheck({ redis, keyspace, queues, log }).check();
    expect(keyspace.shards.known).toBe(1);
  });
});

const SCHEDULE = {
  id: '00000000-0000-4000-8000-000000000001',
  name: 'steps',
  owner: 'user:ada',
  data: {},
  options: {},
  template: { attempts: 1, headway: { owner: 'user:ada' } },
  cron: '0 0 1 1 *',
  firstAt: 0,
  paused: true,
  createdAt: 0,
  updatedAt: 0,
  version: 1,
  timedIn: 1,
};
