import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { temporaryFolder } from '../support/processes.js';
import { openStream } from '../support/sse.js';
import { call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

const ADMIN = 'an-admin-of-these-tests';
const RULES = '[{"channel":"public.**","subscribe":"anyone","publish":"anyone"}]';

/** Every kind of stream, with the token of the admin `ada` or of the job in its address. */
function addresses(url: string, jobId: string, token: string, jobToken: string): Record<string, string> {
  return {
    'a job': `${url}/v1/jobs/${jobId}/events?token=${jobToken}`,
    'several jobs': `${url}/v1/events?job=${jobId}&token=${jobToken}`,
    'all of mine': `${url}/v1/events?jobs=mine&token=${token}`,
    'a queue': `${url}/v1/events?queue=steered&token=${token}`,
    'a channel': `${url}/stream?channel=public.score`,
    'several channels': `${url}/stream?channel=public.score&channel=public.other`,
    'the dashboard': `${url}/v1/dashboard/events?token=${token}`,
  };
}

describe('an EventSource while Redis is unavailable', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      appendOnly: true,
      env: {
        ADMIN_TOKEN: ADMIN,
        CHANNEL_RULES: RULES,
        HEARTBEAT_MS: '300',
        JOBS_DIR: jobsDir('steered'),
      },
    });
  });
  afterAll(() => headway.stop());

  const away = async (): Promise<void> => {
    await headway.redis.kill();
    const { url } = headway.api;
    await until('the API has noticed', async () => (await fetch(`${url}/readyz`)).status === 503);
  };

  it('gets an empty stream of every kind, which begins when Redis is back', async () => {
    const { api, client, connection, env, redis } = headway;
    const token = await signer(env.TOKEN_SECRET!)({ sub: 'ada', headway: { admin: true } });
    const job = await client.start('steered', { turns: 'turns' });
    const poll = (after: string, wait: number): Promise<Response> =>
      fetch(`${api.url}/v1/jobs/${job.id}/events?token=${job.token}&after=${after}&wait=${wait}`);
    const { after } = (await (await poll('', 0)).json()) as { after: string };
    const polls = [poll(after, 50)];
    await away();
    polls.push(poll(after, 50));
    // The client of a poll reads its status. Without an answer it would take what it knows for the present state.
    for (const { status, headers } of await Promise.all(polls)) {
      expect([status, headers.get('retry-after')]).toEqual([503, '2']);
    }
    const opened = await Promise.all(
      Object.entries(addresses(api.url, job.id, token, job.token)).map(async ([kind, url]) => {
        const stream = await openStream(url);
        return { kind, stream };
      }),
    );
    for (const { kind, stream } of opened) {
      expect(stream.status, kind).toBe(200);
      expect(stream.headers['content-type'], kind).toMatch('text/event-stream');
      await until(`${kind} has its reconnection time`, () => stream.retry !== undefined);
    }
    // A random one each, so that the viewers of a process that crashes do not return together.
    const retries = opened.map(({ stream }) => stream.retry!);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1000);
    expect(new Set(retries).size).toBeGreaterThan(1);
    const held = opened.filter(({ kind }) => kind !== 'a queue');
    // The comment is repeated, so that a proxy keeps the connection open.
    for (const { kind, stream } of held) {
      await until(`${kind} waits`, () => stream.comments.filter((text) => text === 'waiting').length >= 2);
      expect(stream.events, kind).toEqual([]);
    }
    expect((await client.get(job)).status).toBe(503);
    await redis.restart();
    await connection.lpush('turns', 'log back');
    // A stream begins when its process reaches Redis; earlier events of a channel are not sent.
    const channels = opened.filter(({ kind }) => kind.includes('channel'));
    await until('an event reaches every viewer of the channel', async () => {
      const body = { event: 'score', data: 1 };
      await call(`${api.url}/v1/channels/public.score`, 'POST', undefined, body);
      return channels.every(({ stream }) => stream.names().includes('score'));
    });
    const seen = (await (await poll(after, 20)).json()) as { events: Array<{ event: string }> };
    expect(seen.events.map(({ event }) => event)).not.toContain('waiting');
    for (const { kind, stream } of opened) {
      const first = { dashboard: 'dashboard', channel: 'score', job: 'active', jobs: 'active' };
      const name = kind.split(' ').at(-1)!.replace('channels', 'channel') as keyof typeof first;
      await stream.waitFor(first[name] ?? 'reset');
      stream.close();
    }
  });

  it('stays open, and gets its events when Redis is back', async () => {
    const { api, client, connection, redis } = headway;
    const job = await client.start('steered', { turns: 'more turns' });
    const before = await openStream(client.events(job), { token: job.token });
    await connection.lpush('more turns', 'log before');
    await before.waitFor('log');
    const overview = await openStream(`${api.url}/v1/events?queue=steered`, { token: ADMIN });
    await overview.waitFor('jobs');
    // It announces its heartbeats, so that a viewer notices a silent connection within five seconds.
    expect(overview.comments).toContain('next 4000');
    await away();
    await until('the overview says that it may be outdated', () => overview.comments.at(-1) === 'waiting');
    const source = new EventSource(`${client.events(job)}?token=${job.token}`);
    const seen: string[] = [];
    source.addEventListener('log', (event) => seen.push(JSON.parse(event.data).message));
    try {
      await until('it is open', () => source.readyState === EventSource.OPEN);
      await redis.restart();
      await until('it has the earlier log line', () => seen.includes('before'));
      await until('the overview is live', () => overview.comments.at(-1) === 'next 4000');
    } finally {
      source.close();
      overview.close();
    }
  });

  it('gets 401 when it reconnects after Redis is back, if its token was revoked', async () => {
    const { api, client, redis } = headway;
    const job = await client.start('steered', { turns: 'no turns' });
    expect((await call(`${api.url}/v1/revocations`, 'POST', ADMIN, { token: job.token })).status).toBe(204);
    await away();
    // A forged token is refused without Redis.
    expect((await openStream(`${client.events(job)}?token=${job.token}x`)).status).toBe(401);
    const stream = await openStream(`${client.events(job)}?token=${job.token}`);
    expect(stream.status).toBe(200);
    await redis.restart();
    await stream.ended;
    expect(stream.events).toEqual([]);
    expect((await openStream(`${client.events(job)}?token=${job.token}`)).status).toBe(401);
  });

  // The last one: it ends the API, and Redis stays away.
  it('does not keep its process from stopping', async () => {
    const { api, client } = headway;
    const job = await client.start('steered', { turns: 'no turns' });
    await away();
    const stream = await openStream(`${client.events(job)}?token=${job.token}`);
    expect(stream.status).toBe(200);
    await api.stop();
    await stream.ended;
    expect(api.child.exitCode).toBe(0);
  });
});

/** Whether the metrics count a poll. */
const isPolled = (metrics: string): boolean =>
  metrics.includes('headway_stream_connects_total{kind="poll"} 1');

describe('a process that is stopping', () => {
  let headway: Headway;
  afterEach(() => headway.stop());

  it('ends a stream that is being opened with 200, so that an EventSource reconnects', async () => {
    const gate = temporaryFolder();
    const env = {
      ADMIN_TOKEN: ADMIN,
      AUTHORIZE_MODULE: 'test/authorize/gate.ts',
      GATE: gate,
      CHANNEL_RULES: RULES,
    };
    headway = await startHeadway({ workers: 0, env });
    const { api } = headway;
    const opening = openStream(`${api.url}/stream?channel=gate`);
    await until('it is being opened', () => existsSync(join(gate, 'asked')));
    const other = await openStream(`${api.url}/stream?channel=public.score`);
    const poll = fetch(`${api.url}/stream?channel=public.score&after=0-0&wait=50`);
    await until('it waits', async () =>
      isPolled(await (await call(`${api.url}/metrics`, 'GET', ADMIN)).text()),
    );
    const stopped = api.stop();
    // From here on the process is stopping.
    await other.ended;
    expect(await (await poll).json()).toEqual({ events: [], after: '0-0', retry: expect.any(Number) });
    writeFileSync(join(gate, 'open'), '');
    const stream = await opening;
    expect(stream.status).toBe(200);
    expect(stream.headers['content-type']).toMatch('text/event-stream');
    expect(stream.headers.connection).toBe('close');
    await stream.ended;
    expect(stream.retry).toBeGreaterThanOrEqual(1000);
    expect(stream.events).toEqual([]);
    await stopped;
    expect(api.child.exitCode).toBe(0);
  });

  it('exits although a viewer reads nothing, and another one reads and never closes its side', async () => {
    headway = await startHeadway({ workers: 0, env: { CHANNEL_RULES: RULES, SHUTDOWN_GRACE_MS: '20000' } });
    const { api } = headway;
    const { port } = new URL(api.url);
    const sockets = [1, 2].map(() => {
      const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => {});
      socket.write(
        'GET /stream?channel=public.flood HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n',
      );
      return socket;
    });
    await until('they are open', () => sockets.every(({ bytesRead }) => bytesRead > 0));
    sockets[0]!.pause();
    sockets[1]!.resume();
    const healthy = await openStream(`${api.url}/stream?channel=public.flood`);
    const data = 'x'.repeat(900_000);
    // Send more than the socket buffers of both sides hold.
    for (let n = 0; n < 12; n++) {
      await call(`${api.url}/v1/channels/public.flood`, 'POST', undefined, {
        event: 'n',
        data,
        id: String(n),
      });
    }
    await healthy.waitFor(({ id }) => id?.endsWith(':11') ?? false);
    const asked = Date.now();
    await api.stop();
    expect(api.child.exitCode).toBe(0);
    expect(Date.now() - asked).toBeLessThan(10_000);
    for (const socket of sockets) socket.destroy();
  });
});
