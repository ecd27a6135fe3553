import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { untilTaken } from '../../src/shared/redis/until-taken.js';
import { openChannels, plainRedis, Viewer } from '../support/channel.js';
import { type Proxy as Balancer, startProxy } from '../support/proxy.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const REFUSED = /READONLY/;

describe('a connection to a server that became a replica', () => {
  let old: TestRedis;
  let next: TestRedis;
  let balancer: Balancer;
  let here: Redis;
  let there: Redis;
  beforeEach(async () => {
    const args = ['--repl-diskless-sync-delay', '0'];
    [old, next] = await Promise.all([startRedis({ args }), startRedis({ args })]);
    balancer = await startProxy(old.port);
    [here, there] = [plainRedis(old.url), plainRedis(next.url)];
    await there.replicaof('127.0.0.1', old.port);
    await until('the replica is in sync', async () =>
      (await there.info('replication')).includes('master_link_status:up'),
    );
  });
  afterEach(async () => {
    here.disconnect();
    there.disconnect();
    balancer.stop();
    await Promise.all([old.stop(), next.stop()]);
  });

  /** Swaps master and replica. All connections to the old server stay open. */
  async function failOver(): Promise<void> {
    await there.replicaof('NO', 'ONE');
    await here.replicaof('127.0.0.1', next.port);
  }
  const received = async (redis: Redis): Promise<number> =>
    Number(/total_connections_received:(\d+)/.exec(await redis.info('stats'))![1]);

  it('is replaced once its address leads to the new master; viewers get each event once', async () => {
    const url = `redis://127.0.0.1:${balancer.port}`;
    const writer = openChannels(url, { role: 'report' });
    const reader = openChannels(url, { role: 'request' });
    // BullMQ opens its second connection by `duplicate()`.
    const copy = (writer.redis as Redis).duplicate();
    try {
      const viewer = new Viewer();
      viewer.subscription = reader.hub.subscribe('c', viewer);
      const publish = (data: number): Promise<unknown> =>
        untilTaken(() => writer.publisher.publish('c', { event: 'log', data }));
      await publish(1);
      await copy.ping();
      await until('the viewer has the event', () => viewer.data().at(-1) === 1);
      await failOver();
      await expect(writer.publisher.publish('c', { event: 'log', data: 0 })).rejects.toThrow(REFUSED);
      // By now the connection has looked for another server once, without success.
      balancer.lead(next.port);
      await publish(2);
      await until('the viewer has the event', () => viewer.data().at(-1) === 2);
      await until('all connections lead to the new master', async () =>
        (
          await Promise.all(
            [writer.redis, reader.redis, copy].map((redis) => redis.config('GET', 'port').catch(() => [])),
          )
        ).every((reply) => (reply as string[])[1] === String(next.port)),
      );
      // Only the new server publishes this event, so the subscribing connection has moved too.
      await here.replicaof('NO', 'ONE');
      await publish(3);
      await until('the viewer has the event', () => viewer.data().at(-1) === 3);
      expect(viewer.data().filter((data) => typeof data === 'number')).toEqual([1, 2, 3]);
    } finally {
      copy.disconnect();
      writer.close();
      reader.close();
    }
  });

  it('stays while there is no other server: reads are answered, and the address is checked rarely', async () => {
    const redis = connectRedis(`redis://127.0.0.1:${balancer.port}`, 'request');
    await until('the connection is ready', () => redis.status === 'ready');
    await failOver();
    const before = await received(here);
    const closed: string[] = [];
    redis.on('close', () => closed.push('close'));
    const end = performance.now() + 2500;
    let refused = 0;
    while (performance.now() < end) {
      await redis.set('key', 'value').catch((error) => {
        expect(String(error)).toMatch(REFUSED);
        refused++;
      });
      await redis.get('key');
    }
    expect(refused).toBeGreaterThan(100);
    expect(closed).toEqual([]);
    // One check at once and one after 1 s. The next check would be 2 s later.
    expect((await received(here)) - before).toBe(2);
    redis.disconnect();
  });
});
