import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { userToken } from '../../support/schedules.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream } from '../../support/sse.js';
import { bearer, call } from '../../support/tokens.js';
import { until } from '../../support/until.js';

interface Polled {
  events: Array<{ id?: string; event: string; data: unknown }>;
  after: string;
}

describe('a long poll', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  const get = (path: string, query: Record<string, string | number>, headers = {}): Promise<Response> =>
    fetch(
      `${headway.api.url}${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams(query as never)}`,
      {
        headers,
      },
    );
  const read = async (response: Promise<Response>): Promise<Polled> => {
    const { status } = await response;
    const body = await (await response).text();
    if (status !== 200) throw new Error(`${status}: ${body}`);
    return JSON.parse(body) as Polled;
  };
  const ofJob = (job: StartedJob, after: string, wait: number): Promise<Response> =>
    get(job.links.events, { after, wait }, bearer(job.token));
  const steered = async () => {
    const turns = randomUUID();
    const job = await headway.client.start('steered', { turns });
    const say = (text: string): Promise<unknown> => headway.connection.lpush(turns, text);
    return { job, say };
  };
  const channel = (): string => `public.${randomUUID()}`;
  const publish = async (name: string, ...data: unknown[]): Promise<string[]> => {
    const body = { events: data.map((one) => ({ event: 'score', data: one })) };
    const answer = await call(`${headway.api.url}/v1/channels/${name}`, 'POST', undefined, body);
    return ((await answer.json()) as { ids: string[] }).ids;
  };

  it('gives every event of a job once, with the ids of its stream, and 204 after the end', async () => {
    const job = await headway.client.start('steps', { count: 30, intervalMs: 10 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    const events: Polled['events'] = [];
    let after = '';
    for (;;) {
      const response = await ofJob(job, after, 5);
      if (response.status === 204) break;
      const polled = (await response.json()) as Polled;
      expect(polled.events.length).toBeGreaterThan(0);
      events.push(...polled.events);
      after = polled.after;
    }
    await stream.ended;
    const offsets = events.map(({ id }) => Number(id!.split('-')[1]));
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    const ofStream = new Map(stream.events.map(({ id, ...event }) => [id, event]));
    for (const { id, ...event } of events) if (ofStream.has(id)) expect(ofStream.get(id)).toEqual(event);
    const lasting = (all: Array<{ event: string; id?: string | undefined }>) =>
      all.filter(({ event }) => event !== 'progress' && event !== 'queue').map(({ id }) => id);
    expect(lasting(events)).toEqual(lasting(stream.events));
    expect(events.at(-1)).toMatchObject({ event: 'completed', id: after });
  });

  it('waits for the next event, and answers without one after its time', async () => {
    const { job, say } = await steered();
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('active');
    const now = await read(ofJob(job, '', 0));
    expect(now.events.map(({ event }) => event)).toContain('active');
    const began = performance.now();
    expect(await read(ofJob(job, now.after, 1))).toEqual({ events: [], after: now.after });
    expect(performance.now() - began).toBeGreaterThan(950);
    expect(await read(ofJob(job, now.after, 0))).toEqual({ events: [], after: now.after });
    expect(performance.now() - began).toBeLessThan(2000);
    const next = read(ofJob(job, now.after, 20));
    await watched(`job:${job.id}`, 2);
    await say('log here');
    expect((await next).events).toMatchObject([{ event: 'log', data: { message: 'here' } }]);
    stream.close();
  });

  /** Waits until a channel has this many viewers, of which polls are some. */
  const watched = (name: string, viewers: number): Promise<unknown> =>
    until(`${name} has ${viewers} viewers`, async () => {
      const answer = await call(`${headway.api.url}/v1/channels/${name}`, 'GET', ADMIN_TOKEN);
      return ((await answer.json()) as { watchers: number }).watchers === viewers;
    });

  it('is answered with an event stream that ends, if the client prefers one', async () => {
    const { job } = await steered();
    await until('it is active', async () => {
      const { events } = await read(ofJob(job, '', 0));
      return events.some(({ event }) => event === 'active');
    });
    const { after } = await read(ofJob(job, '', 0));
    const headers = { ...bearer(job.token), Accept: 'text/event-stream' };
    const response = await get(job.links.events, { after: '', wait: 0 }, headers);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('content-length')).not.toBeNull();
    expect(await response.text()).toMatch(new RegExp(`^id: [^]*event: active\n[^]*\n\nid: ${after}\n\n$`));
    // The position of the last line is enough to continue.
    expect(await (await get(job.links.events, { after, wait: 0 }, headers)).text()).toBe(`id: ${after}\n\n`);
  });

  it('misses nothing of a channel between two polls, even of one that does not exist yet', async () => {
    const name = channel();
    const path = `/stream?channel=${name}`;
    let { after, events } = await read(get(path, { wait: 0 }));
    expect([after, events]).toEqual(['0-0', []]);
    const first = await publish(name, 'between', 1.5, null);
    ({ after, events } = await read(get(path, { after, wait: 0 })));
    expect(events.map(({ id, data }) => [id, data])).toEqual([
      [first[0], 'between'],
      [first[1], 1.5],
      [first[2], null],
    ]);
    await publish(name, ...Array.from({ length: 700 }, (_, i) => i));
    const seen: unknown[] = [];
    while (seen.length < 700) {
      ({ after, events } = await read(get(path, { after, wait: 5 })));
      seen.push(...events.map(({ data }) => data));
    }
    expect(seen).toEqual(Array.from({ length: 700 }, (_, i) => i));
    // A new viewer gets what is published from then on, and what it asks for.
    expect((await read(get(path, { wait: 0 }))).events).toEqual([]);
    expect((await read(get(path, { wait: 0, last: 2 }))).events.map(({ data }) => data)).toEqual([698, 699]);
  });

  it('follows several channels, and continues all of them from one position', async () => {
    const names = [channel(), channel()];
    const path = `/stream?channel=${names[0]}&channel=${names[1]}`;
    const { after } = await read(get(path, { wait: 0 }));
    const [id] = await publish(names[1]!, 'b');
    const second = await read(get(path, { after, wait: 5 }));
    expect(second).toMatchObject({ events: [{ id: `0-0,${id}`, data: 'b' }], after: `0-0,${id}` });
    const [other] = await publish(names[0]!, 'a');
    const third = await read(get(path, { after: second.after, wait: 5 }));
    expect(third).toMatchObject({ events: [{ data: 'a' }], after: `${other},${id}` });
  });

  it('tells its viewer when the log no longer reaches back, like a stream', async () => {
    const name = channel();
    const path = `/stream?channel=${name}`;
    const [id] = await publish(name, 1);
    await publish(name, 2, 3);
    await headway.connection.xtrim(`headway:{${name}}:log`, 'MAXLEN', 1);
    const trimmed = await read(get(path, { after: id!, wait: 0 }));
    expect(trimmed.events).toMatchObject([{ event: 'reset', data: { reason: 'trimmed' } }, { data: 3 }]);
    const unknown = await read(get(path, { after: '0f548b34108c-3', wait: 0 }));
    expect(unknown.events[0]).toMatchObject({ event: 'reset', data: { reason: 'epoch' } });
    expect((await read(get(path, { after: unknown.after, wait: 0 }))).events).toEqual([]);
  });

  it('ends when the token of its caller expires', async () => {
    const name = `news.${randomUUID()}`;
    const token = await userToken(headway, 'ada', '2s');
    const { events } = await read(get(`/stream?channel=${name}`, { wait: 20 }, bearer(token)));
    expect(events).toEqual([{ event: 'unauthorized', data: { reason: 'expired' } }]);
    expect((await get(`/stream?channel=${name}`, { wait: 20 }, bearer(token))).status).toBe(401);
  });

  it('counts as a stream while it waits, and is given back when its client leaves', async () => {
    const name = channel();
    const waiting = new AbortController();
    const polls = Array.from({ length: 3 }, () =>
      fetch(`${headway.api.url}/stream?channel=${name}&wait=20`, { signal: waiting.signal }).catch(() => {}),
    );
    await watched(name, 3);
    waiting.abort();
    await Promise.all(polls);
    await watched(name, 0);
  });

  it.each([
    ['wait', '/stream?channel=public.x', 'wait=soon', /wait must be a whole number/],
    ['wait', '/stream?channel=public.x', 'wait=56', /0 to 55/],
    ['wait', '/stream?channel=public.x', 'wait=', /wait must/],
    ['wait', '/stream?channel=public.x', 'wait=1&wait=2', /wait must/],
    ['after', '/stream?channel=public.x', 'wait=1&after=%00', /after must be the id/],
    ['after', '/stream?channel=public.x', `wait=1&after=a-${'9'.repeat(16)}`, /after must be the id/],
    ['after', '/stream?channel=public.x', 'wait=1&after=a-1&after=a-2', /only once/],
    ['after', '/stream?channel=public.x&channel=public.y', 'wait=1&after=a-1', /these 2 channels/],
    ['after', '/stream?channel=public.x&channel=public.y', 'wait=1&after=a-1,b-2,c-3', /these 2 channels/],
  ])('refuses a wrong %s: %s %s', async (_what, path, query, detail) => {
    const response = await fetch(`${headway.api.url}${path}&${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'invalid-request',
      detail: expect.stringMatching(detail),
    });
  });

  it('is refused like a stream, and to clients that accept neither answer', async () => {
    const { job } = await steered();
    expect((await get(job.links.events, { wait: 1 })).status).toBe(404);
    expect((await get('/stream?channel=private.x', { wait: 1 })).status).toBe(401);
    expect((await get('/stream?channel=public.x', { wait: 1 }, { Accept: 'image/png' })).status).toBe(406);
    const head = await fetch(`${headway.api.url}/stream?channel=public.x&wait=20`, { method: 'HEAD' });
    expect(head.status).toBe(200);
  });
});
