import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { openStream } from '../../support/sse.js';
import { bearer, signer } from '../../support/tokens.js';

const RULES = [{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }];

describe('publishing with an Idempotency-Key', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ workers: 0, env: { CHANNEL_RULES: JSON.stringify(RULES) } });
  });
  afterAll(() => headway.stop());

  const publish = (channel: string, body: unknown, key?: string, token?: string): Promise<Response> =>
    fetch(`${headway.api.url}/v1/channels/${channel}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(key === undefined ? {} : { 'Idempotency-Key': key }),
        ...bearer(token),
      },
      body: JSON.stringify(body),
    });
  const follow = (channel: string) => openStream(`${headway.api.url}/stream?channel=${channel}&last=10000`);
  const batchOf = (count: number, data: (i: number) => unknown = (i) => i) => ({
    events: Array.from({ length: count }, (_, i) => ({ event: 'n', data: data(i) })),
  });

  it.each([
    ['one event', { event: 'n', data: 0 }, 1],
    ['one state', { event: 'n', kind: 'state', data: 0 }, 1],
    ['a batch of 1000', batchOf(1000), 1000],
    ['a batch of large events', batchOf(20, (i) => `${i} ${'x'.repeat(40_000)}`), 20],
  ])('publishes %s once, with the same response each time', async (what, body, count) => {
    const channel = `public.${what.replaceAll(' ', '-')}`;
    const stream = await follow(channel);
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const response = await publish(channel, body, key);
        expect(response.status).toBe(200);
        return (await response.json()) as { id?: string; ids?: string[] };
      }),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    await publish(channel, { event: 'last', data: 1 });
    await stream.waitFor('last');
    const events = stream.events.filter(({ event }) => event === 'n');
    expect(events.map(({ id }) => id)).toEqual(answers[0]!.ids ?? [answers[0]!.id]);
    expect(events).toHaveLength(count);
    stream.close();
  });

  it('publishes the rest of a batch, and nothing twice, when connections to Redis are cut', async () => {
    const channel = 'public.cut';
    const stream = await follow(channel);
    let failures = 0;
    for (let round = 0; round < 10; round++) {
      const key = randomUUID();
      const body = batchOf(1000, (i) => round * 1000 + i);
      let done = false;
      const cutting = (async () => {
        for (let i = 0; i < 10 && !done; i++) {
          await headway.connection.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {});
          await sleep(3);
        }
      })();
      for (;;) {
        const response = await publish(channel, body, key);
        if (response.status === 200) break;
        expect(response.status).toBe(503);
        failures++;
        await sleep(20);
      }
      done = true;
      await cutting;
    }
    expect(failures).toBeGreaterThan(0);
    await publish(channel, { event: 'last', data: 1 }, randomUUID());
    await stream.waitFor('last');
    const data = stream.events.filter(({ event }) => event === 'n').map((event) => event.data);
    expect(data).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    stream.close();
  });

  it('refuses a key that was used with another body; each channel and caller has separate keys', async () => {
    const key = randomUUID();
    const sign = signer(headway.env.TOKEN_SECRET!);
    const [ada, bob] = await Promise.all(
      ['ada', 'bob'].map((sub) => sign({ sub, headway: { publish: ['**'] } })),
    );
    const ids = new Set<string>();
    for (const [channel, token] of [
      ['public.one', undefined],
      ['public.two', undefined],
      ['public.one', ada],
      ['public.one', bob],
    ] as const) {
      const response = await publish(channel, { data: 1 }, key, token);
      expect(response.status).toBe(200);
      ids.add(`${channel} ${((await response.json()) as { id: string }).id}`);
    }
    expect(ids.size).toBe(4);
    const other = await publish('public.one', { data: 2 }, key);
    expect(other.status).toBe(409);
    expect(await other.json()).toMatchObject({ code: 'idempotency-conflict' });
  });

  it.each(['short', '', 'x'.repeat(256), 'with space 0123456789'])('refuses the key %j', async (key) => {
    const response = await publish('public.bad', { data: 1 }, key);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid-idempotency-key' });
  });
});
