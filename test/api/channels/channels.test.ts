import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPublisher } from '../../../src/shared/channel/publisher.js';
import { createKeyspace } from '../../../src/shared/keyspace.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startApi } from '../../support/processes.js';
import { openStream } from '../../support/sse.js';
import { bearer, signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const RULES = [
  { channel: 'public.**', subscribe: 'anyone', publish: 'anyone' },
  { channel: 'users.{sub}', subscribe: 'signed-in' },
  { channel: 'analytics', subscribe: 'admin' },
];

describe('channels over HTTP', () => {
  let headway: Headway;
  let url: string;
  let sign: ReturnType<typeof signer>;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        CHANNEL_RULES: JSON.stringify(RULES),
        ADMIN_TOKEN: 'an-admin-of-these-tests',
        HEARTBEAT_MS: '1000',
      },
    });
    url = headway.api.url;
    sign = signer(headway.env.TOKEN_SECRET!);
  });
  afterAll(() => headway.stop());

  const follow = (query: string, options: { token?: string; lastEventId?: string } = {}) =>
    openStream(`${url}/stream?${query}`, options);
  const publish = (channel: string, body: unknown, token?: string): Promise<Response> =>
    fetch(`${url}/v1/channels/${channel}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...bearer(token) },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it('deliver published events to their viewers, with all fields of the standard', async () => {
    const stream = await follow('channel=public.fields');
    const answer = await publish('public.fields', {
      event: 'score',
      data: 'one\ntwo\r\nthree',
      id: 'ball-7',
      retry: 4000,
    });
    expect(answer.status).toBe(200);
    const { id } = (await answer.json()) as { id: string };
    const event = await stream.waitFor('score');
    expect(event).toEqual({ id: `${id}:ball-7`, event: 'score', data: 'one\ntwo\nthree' });
    expect(stream.retry).toBe(4000);
    await publish('public.fields', { data: { runs: 4 } });
    expect((await stream.waitFor('message')).data).toEqual({ runs: 4 });
    stream.close();
  });

  it('are created by their first event, and `/stream` without a channel follows `sse`', async () => {
    const token = await sign({ headway: { subscribe: ['sse'], publish: ['sse'] } });
    const stream = await openStream(`${url}/stream`, { token });
    await publish('sse', { data: 1 }, token);
    expect((await stream.waitFor('message')).data).toBe(1);
    stream.close();
  });

  it('send new viewers the state and live events, replay ?last= events, and resume from an id', async () => {
    const ids: string[] = [];
    for (const n of [1, 2, 3, 4]) {
      ids.push(((await (await publish('public.late', { data: n })).json()) as { id: string }).id);
    }
    await publish('public.late', { event: 'table', data: { leader: 'Ada' }, kind: 'state' });
    const end = { event: 'end', data: 0 };
    const seenBy = async (query: string, lastEventId?: string): Promise<unknown[]> => {
      const stream = await follow(`channel=public.late${query}`, lastEventId ? { lastEventId } : {});
      await stream.waitFor('table');
      stream.close();
      return stream.events.map(({ data }) => data);
    };
    const state = { leader: 'Ada' };
    expect(await seenBy('')).toEqual([state]);
    expect(await seenBy('&last=2')).toEqual([3, 4, state]);
    expect(await seenBy('&last=100')).toEqual([1, 2, 3, 4, state]);
    expect(await seenBy('&last=0', ids[2])).toEqual([4, state]);
    expect(await seenBy(`&lastEventId=${ids[0]}:own`)).toEqual([2, 3, 4, state]);
    const stream = await follow('channel=public.late');
    await publish('public.late', end);
    await stream.waitFor('end');
    expect(stream.events.map(({ data }) => data)).toEqual([state, 0]);
    stream.close();
  });

  it('send no history to a viewer that comes just after one that asked for it', async () => {
    for (const n of [1, 2, 3, 4]) await publish('public.shared', { data: n });
    await publish('public.shared', { event: 'table', data: 5, kind: 'state' });
    const first = await follow('channel=public.shared&last=3');
    await first.waitFor('table');
    const second = await follow('channel=public.shared');
    await second.waitFor('table');
    expect(first.events.map(({ data }) => data)).toEqual([2, 3, 4, 5]);
    expect(second.events.map(({ data }) => data)).toEqual([5]);
    for (const stream of [first, second]) stream.close();
  });

  it('replay the events since ?since= to a new viewer', async () => {
    const publishAll = (from: number, to: number) =>
      publish('public.since', {
        events: Array.from({ length: to - from }, (_, i) => ({ data: from + i })),
      });
    await publishAll(0, 700);
    // `since` is compared with Redis' clock.
    const [seconds, micros] = await headway.connection.time();
    const since = Number(seconds) * 1000 + Math.ceil(Number(micros) / 1000) + 1;
    await until('a later millisecond', async () => {
      const [s, us] = await headway.connection.time();
      return Number(s) * 1000 + Number(us) / 1000 > since;
    });
    await publishAll(700, 1000);
    const seenSince = async (text: string | number): Promise<number[]> => {
      const stream = await follow(`channel=public.since&since=${text}`);
      await publish('public.since', { event: 'end', data: 0, kind: 'state' });
      await stream.waitFor('end');
      stream.close();
      return stream.events.flatMap(({ event, data }) => (event === 'message' ? [data] : []));
    };
    const late = Array.from({ length: 300 }, (_, i) => 700 + i);
    expect(await seenSince(since)).toEqual(late);
    expect(await seenSince(new Date(since).toISOString())).toEqual(late);
    expect((await seenSince(0)).length).toBe(1000);
    expect(await seenSince('2026-01-01T00:00:00+02:00')).toHaveLength(1000);
    expect(await seenSince(since + 3_600_000)).toEqual([]);
  });

  it('that have ended are streamed to their end, and return 204 to a viewer that has seen it', async () => {
    const channels = createPublisher({
      redis: headway.connection,
      keyspace: createKeyspace('headway'),
      logLength: 100,
      ttlMs: 60_000,
      sharded: true,
    });
    await channels.publish('public.over', { data: 1 });
    const id = await channels.publish('public.over', { event: 'finished', data: 2, id: 'a,b', end: true });
    const newcomer = await follow('channel=public.over');
    await newcomer.ended;
    expect(newcomer.names()).toContain('finished');
    expect((await follow('channel=public.over', { lastEventId: id! })).status).toBe(204);
    expect((await follow('channel=public.over', { lastEventId: `${id}:a,b` })).status).toBe(204);
    expect((await follow('channel=public.over', { lastEventId: id!.replace(/2$/, '1') })).status).toBe(200);
  });

  it('refuse states of more keys than CHANNEL_MAX_SLOTS, and keep those that they have', async () => {
    const states = (from: number, count: number) => ({
      events: Array.from({ length: count }, (_, i) => ({ kind: 'state', key: `k${from + i}`, data: i })),
    });
    for (let from = 0; from < 5000; from += 1000) {
      expect((await publish('public.keys', states(from, 1000))).status).toBe(200);
    }
    const refused = await publish('public.keys', states(5000, 1));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: 'channel-full', max: 5000 });
    expect((await publish('public.keys', states(4999, 1))).status).toBe(200);
  });

  it('publish a batch in order, and return an id for each event', async () => {
    const stream = await follow('channel=public.batch');
    const events = Array.from({ length: 500 }, (_, data) => ({ data }));
    const answer = await publish('public.batch', { events });
    const { ids } = (await answer.json()) as { ids: string[] };
    await stream.waitFor(({ data }) => data === 499);
    expect(stream.events.map(({ data }) => data)).toEqual(events.map(({ data }) => data));
    expect(stream.events.map(({ id }) => id)).toEqual(ids);
    stream.close();
  });

  it('publish a batch completely or not at all', async () => {
    const stream = await follow('channel=public.whole');
    const events = [{ data: 1 }, { event: 'error', data: 2 }];
    const answer = await publish('public.whole', { events });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ errors: [{ pointer: '/events/1' }] });
    await publish('public.whole', { event: 'mended', data: 3 });
    await stream.waitFor('mended');
    expect(stream.names()).toEqual(['mended']);
    stream.close();
  });

  it('share one connection, with event ids that resume all of them', async () => {
    const query = 'channel=public.one&channel=public.two&last=10';
    const stream = await follow(query);
    await publish('public.one', { data: 'a' });
    await stream.waitFor(({ data }) => data === 'a');
    await publish('public.two', { data: 'b' });
    await stream.waitFor(({ data }) => data === 'b');
    const lastEventId = stream.lastEventId()!;
    stream.close();
    await publish('public.one', { data: 'c' });
    await publish('public.two', { data: 'd' });
    const again = await follow(query, { lastEventId });
    await again.waitFor(({ data }) => data === 'c');
    await again.waitFor(({ data }) => data === 'd');
    expect(again.events.map(({ data }) => data).sort()).toEqual(['c', 'd']);
    // Live frames of two channels are not interleaved.
    await Promise.all(
      ['one', 'two'].map((name) =>
        publish(`public.${name}`, {
          events: Array.from({ length: 200 }, (_, i) => ({ data: `${name} ${i}` })),
        }),
      ),
    );
    await again.waitFor(({ data }) => data === 'one 199');
    await again.waitFor(({ data }) => data === 'two 199');
    for (const name of ['one', 'two']) {
      const seen = again.events.map(({ data }) => data).filter((data) => data.startsWith(name));
      expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => `${name} ${i}`));
    }
    again.close();
  });

  it('of jobs can be watched too, with access to the job', async () => {
    const job = await headway.client.start('steps', { count: 2, intervalMs: 1 });
    const stream = await follow(`channel=job:${job.id}`, { token: job.token });
    await stream.ended;
    expect(stream.names().at(0)).toBe('waiting');
    expect(stream.names().at(-1)).toBe('completed');
    expect((await follow(`channel=job:${job.id}`)).status).toBe(404);
    expect((await publish(`job:${job.id}`, { data: 1 }, 'an-admin-of-these-tests')).status).toBe(403);
  });

  it.each([
    ['subscribe', 'public.x', 200, 200, 200, 200],
    ['subscribe', 'users.ada', 401, 200, 403, 200],
    ['subscribe', 'analytics', 401, 403, 403, 200],
    ['subscribe', 'orders.7', 401, 403, 200, 200],
    ['subscribe', 'other', 401, 403, 403, 200],
    ['publish', 'public.x', 200, 200, 200, 200],
    ['publish', 'users.ada', 401, 403, 403, 200],
    ['publish', 'analytics', 401, 403, 403, 200],
    ['publish', 'orders.7', 401, 403, 403, 200],
  ])(
    'to %s to %s: unidentified %i, ada %i, a token for orders.* %i, an admin %i',
    async (action, channel, ...expected) => {
      const tokens = [
        undefined,
        await sign({ sub: 'ada' }),
        await sign({ sub: 'shop', headway: { subscribe: ['orders.*'] } }),
        'an-admin-of-these-tests',
      ];
      for (const [i, token] of tokens.entries()) {
        if (action === 'publish') {
          expect((await publish(channel, { data: 1 }, token)).status).toBe(expected[i]);
          continue;
        }
        const stream = await follow(`channel=${channel}`, token ? { token } : {});
        expect(stream.status).toBe(expected[i]);
        stream.close();
      }
    },
  );

  it('refuse an invalid or expired token, and one of another service', async () => {
    const forged = await new SignJWT({ headway: { subscribe: ['**'] } })
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience('headway')
      .setSubject('eve')
      .setExpirationTime('1h')
      .sign(Buffer.from('another secret that is long enough'));
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"aud":"headway","sub":"eve","exp":9999999999,"headway":{"admin":true}}').toString('base64url')}.`;
    const expired = await sign({ sub: 'ada' }, new Date(Date.now() - 1000));
    const elsewhere = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience('other')
      .setSubject('ada')
      .setExpirationTime('1h')
      .sign(Buffer.from(headway.env.TOKEN_SECRET!));
    for (const token of [forged, none, expired, elsewhere, 'x']) {
      expect((await follow('channel=users.ada', { token })).status).toBe(401);
    }
    const wrong = await sign({ sub: 'ada', headway: { subscribe: ['a b'] } });
    const response = await fetch(`${url}/stream?channel=public.x`, { headers: bearer(wrong) });
    expect(await response.json()).toMatchObject({
      code: 'invalid-token',
      detail: expect.stringContaining('headway.subscribe.0'),
    });
  });

  it('end for a viewer whose token expires, with an unauthorized event', async () => {
    const token = await sign({ sub: 'ada' }, new Date(Date.now() + 2000));
    const stream = await follow('channel=users.ada', { token });
    await stream.ended;
    expect(stream.events).toEqual([{ id: undefined, event: 'unauthorized', data: { reason: 'expired' } }]);
    expect((await follow('channel=users.ada', { token })).status).toBe(401);
  });

  it.each([
    ['a name that would escape its key', '/stream?channel=a%7Db', 400],
    ['a name with a line break', '/stream?channel=a%0Ab', 400],
    ['a name with U+2028', '/stream?channel=a%E2%80%A8', 400],
    ['a name with NUL', '/stream?channel=a%00', 400],
    ['no name', '/stream?channel=', 400],
    ['a wildcard', '/stream?channel=public.*', 400],
    ['another job’s channel', '/stream?channel=job:steps.1', 404],
    [
      'too many channels',
      `/stream?${Array.from({ length: 101 }, (_, i) => `channel=public.${i}`).join('&')}`,
      400,
    ],
    ['an invalid last', '/stream?channel=public.x&last=-1', 400],
    ['an invalid time', '/stream?channel=public.x&since=yesterday', 400],
    ['a day that does not exist', '/stream?channel=public.x&since=2026-13-45T00:00:00Z', 400],
    ['both since and last', '/stream?channel=public.x&since=0&last=1', 400],
    ['a last over the limit', '/stream?channel=public.x&last=10001', 400],
  ])('handle %s', async (_what, path, status) => {
    const response = await fetch(`${url}${path}`, {
      headers: { Accept: 'text/event-stream', ...bearer('an-admin-of-these-tests') },
    });
    expect(response.status).toBe(status);
    await response.body?.cancel();
    const anonymous = await fetch(`${url}${path}`, { headers: { Accept: 'text/event-stream' } });
    expect(anonymous.status).toBe(status);
    expect((await anonymous.json()) as object).toMatchObject({ status });
  });

  it.each([
    ['no data', {}, '/data'],
    ['an unknown field', { data: 1, channel: 'x' }, ''],
    ['a name with a line break', { event: 'a\nid: 9', data: 1 }, ''],
    ['the name error', { event: 'error', data: 1 }, ''],
    ['the name open', { event: 'open', data: 1 }, ''],
    ['an id with a line break', { id: 'a\nb', data: 1 }, ''],
    ['a negative retry', { retry: -1, data: 1 }, '/retry'],
    ['a retry that is too short', { retry: 0, data: 1 }, '/retry'],
    ['a retry that is too long', { retry: 86_400_000, data: 1 }, '/retry'],
    ['the reserved name reset', { event: 'reset', data: { reason: 'epoch' } }, ''],
    ['the reserved name unauthorized', { event: 'unauthorized', data: 1 }, ''],
    ['an unknown kind', { kind: 'other', data: 1 }, '/kind'],
    ['an empty batch', { events: [] }, '/events'],
    ['a batch with an invalid event', { events: [{ data: 1 }, { data: 1, retry: 'x' }] }, '/events/1/retry'],
  ])('refuse %s with a pointer to it', async (_what, body, pointer) => {
    const response = await publish('public.bad', body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'invalid-request', errors: [{ pointer }] });
  });

  it('accept data of nearly a megabyte, and refuse more', async () => {
    const stream = await follow('channel=public.big');
    const data = 'x'.repeat(1_000_000);
    expect((await publish('public.big', { data })).status).toBe(200);
    expect((await stream.waitFor('message')).data).toBe(data);
    stream.close();
    expect((await publish('public.big', { data: 'x'.repeat(1_100_000) })).status).toBe(413);
  });

  it('keep a process from starting if the rules are invalid, with an error of one line', async () => {
    for (const [rules, line] of [
      ['[{"channel":"a b"}]', /CHANNEL_RULES: rule 0.channel: must be a channel name/],
      ['[{"channel":"a","subscribe":"all"}]', /CHANNEL_RULES: rule 0.subscribe/],
      ['/no/such/file', /CHANNEL_RULES: cannot be read: ENOENT/],
    ] as const) {
      await expect(startApi({ ...headway.env, CHANNEL_RULES: rules })).rejects.toMatchObject({
        code: 78,
        output: expect.stringMatching(line),
      });
    }
  });
});
