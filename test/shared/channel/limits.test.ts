import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareEvent } from '../../../src/shared/channel/publisher.js';
import { openChannels, plainRedis, Viewer } from '../../support/channel.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const KIB = 1024;
const limits = { logBytes: 64 * KIB, slots: 40, slotBytes: 64 * KIB };

describe('a channel with limits', () => {
  let redis: TestRedis;
  let channels: ReturnType<typeof openChannels>;
  let looker: ReturnType<typeof plainRedis>;
  beforeAll(async () => {
    redis = await startRedis();
    channels = openChannels(redis.url, { limits });
    looker = plainRedis(redis.url);
  });
  afterAll(async () => {
    looker.disconnect();
    channels.close();
    await redis.stop();
  });

  const state = (name: string, key: string, bytes = 1): Promise<unknown> =>
    channels.publisher.publish(name, { kind: 'state', key, data: 'x'.repeat(bytes) });
  const slots = (name: string): Promise<number> => looker.hlen(`test:{${name}}:slots`);
  const slotBytes = async (name: string): Promise<number> =>
    (await looker.hvals(`test:{${name}}:slots`)).reduce((sum, frame) => sum + frame.length, 0);
  const logBytes = async (name: string): Promise<number> =>
    (await looker.xrange(`test:{${name}}:log`, '-', '+')).reduce(
      (sum, [, [, frame]]) => sum + frame!.length,
      0,
    );

  it('refuses further slots, and keeps and updates those that it has', async () => {
    for (let i = 0; i < limits.slots; i++) await state('many', `k${i}`);
    await expect(state('many', 'one more')).rejects.toMatchObject({
      code: 'channel-full',
      members: { max: 40 },
    });
    expect(await state('many', 'k7', 100)).toEqual(expect.any(String));
    const log = await channels.publisher.publish('many', { data: 'a log event needs no slot' });
    expect(log).toMatch(/-42$/);
    expect(await slots('many')).toBe(limits.slots);
  });

  it('refuses bytes beyond the limit, and counts what is replaced', async () => {
    for (let i = 0; i < 6; i++) await state('large', `k${i}`, 10 * KIB);
    await expect(state('large', 'another', 10 * KIB)).rejects.toMatchObject({ code: 'channel-full' });
    await expect(state('large', 'k0', 20 * KIB)).rejects.toMatchObject({ code: 'channel-full' });
    // A smaller state makes room.
    await state('large', 'k1', 1);
    await state('large', 'another', 10 * KIB);
    for (let i = 0; i < 50; i++) await state('large', 'k2', 10 * KIB);
    expect(await slotBytes('large')).toBeLessThanOrEqual(limits.slotBytes);
    expect(Number(await looker.hget('test:{large}', 'held'))).toBe(await slotBytes('large'));
  });

  it('takes all events of a call or none', async () => {
    const events = Array.from({ length: limits.slots + 1 }, (_, i) =>
      prepareEvent({ kind: 'state', key: `k${i}`, data: i }),
    );
    await expect(channels.publisher.publishInRow('row', events, {})).rejects.toMatchObject({
      code: 'channel-full',
    });
    expect(await slots('row')).toBe(0);
    // The same key twice takes one slot.
    const twice = [...events.slice(0, limits.slots), events[0]!];
    expect(await channels.publisher.publishInRow('row', twice, {})).toMatchObject({ state: 'taken' });
    expect(await slots('row')).toBe(limits.slots);
  });

  it('removes the oldest log events beyond the limit, and tells viewers who have missed them', async () => {
    const first = await channels.publisher.publish('log', { data: 'first' });
    let most = 0;
    for (let i = 0; i < 40; i++) {
      await channels.publisher.publish('log', { data: 'x'.repeat(i % 2 ? 10 : 10 * KIB) });
      most = Math.max(most, await logBytes('log'));
    }
    expect(most).toBeLessThanOrEqual(limits.logBytes);
    expect(most).toBeGreaterThan(limits.logBytes / 2);
    const viewer = new Viewer();
    viewer.subscription = channels.hub.subscribe('log', viewer, { lastEventId: first! });
    const text = (): string => Buffer.concat(viewer.received).toString();
    await until('the viewer has been told', () => text().includes('event: reset'));
    expect(text()).toContain('trimmed');
    viewer.subscription.close();
    // An event that is larger than the limit replaces all others.
    const large = await channels.publisher.publish('log', { data: 'x'.repeat(2 * limits.logBytes) });
    const kept = await looker.xrange('test:{log}:log', '-', '+');
    expect(kept.map(([id]) => id)).toEqual([`${large!.split('-')[1]}-0`]);
  });
});
