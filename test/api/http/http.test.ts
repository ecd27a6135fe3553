import { once } from 'node:events';
import { connect } from 'node:net';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../../support/client.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { openStream } from '../../support/sse.js';
import { until } from '../../support/until.js';

describe('the HTTP API', () => {
  let headway: Headway;
  let url: string;
  let running: StartedJob;
  let done: StartedJob;

  beforeAll(async () => {
    headway = await startHeadway({
      env: { HEARTBEAT_MS: '200', LOG_LEVEL: 'debug', TOKEN_TTL_MS: '3600000' },
    });
    url = headway.api.url;
    running = await headway.client.start('steps', { count: 1, intervalMs: 600_000 });
    done = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    await (await openStream(headway.client.events(done), { token: done.token })).ended;
  });
  afterAll(() => headway.stop());

  const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

  it('streams as the standard requires, byte by byte', async () => {
    const stream = await openStream(headway.client.events(done), { token: done.token });
    await stream.ended;
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    expect(stream.raw()).toMatch(/^retry: [12]\d{3}\n\n: next \d+\n\nid: /);
    expect(stream.raw().endsWith('\n:end\n\n')).toBe(true);
    const frames = stream.raw().split('\n\n').slice(2, -1);
    for (const frame of frames) {
      expect(frame).toMatch(/^id: [0-9a-f]{12}-\d+\nevent: [a-z]+\ndata: \{.*\}(\n:end)?$/);
    }
  });

  it('sends heartbeats on a silent stream', async () => {
    const stream = await openStream(headway.client.events(running), { token: running.token });
    await until('two heartbeats', () => stream.comments.length >= 2);
    const before = stream.events.length;
    await until('more of them', () => stream.comments.length >= 4);
    expect(stream.events).toHaveLength(before);
    stream.close();
  });

  it('accepts a job token as bearer token and in the query', async () => {
    for (const [path, init] of [
      [done.links.self, bearer(done.token)],
      [`${done.links.self}?token=${done.token}`, {}],
    ] as const) {
      expect((await fetch(`${url}${path}`, init)).status).toBe(200);
    }
  });

  it('returns 401 for an invalid, unsigned or changed token', async () => {
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${done.token.split('.')[1]}.`;
    for (const token of ['nonsense', unsigned, `${done.token}x`]) {
      const response = await fetch(`${url}${done.links.self}`, bearer(token));
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
      expect(await response.json()).toMatchObject({ code: 'invalid-token' });
    }
  });

  it('returns 401 for an expired token, and for one without an expiry', async () => {
    const key = Buffer.from(headway.env.TOKEN_SECRET!);
    const token = (expires?: string): Promise<string> => {
      const jwt = new SignJWT().setProtectedHeader({ alg: 'HS256' }).setSubject(done.id);
      jwt.setAudience('headway:job');
      return (expires ? jwt.setExpirationTime(expires) : jwt).sign(key);
    };
    const status = async (token: string): Promise<number> =>
      (await fetch(`${url}${done.links.self}`, bearer(token))).status;
    expect(await status(await token('1 minute'))).toBe(200);
    expect(await status(await token('1 second ago'))).toBe(401);
    expect(await status(await token())).toBe(401);
  });

  it('P9: opens a job with the one cookie of its visitor, and refuses the cookie of another visitor', async () => {
    const { client } = headway;
    const cookieOf = async (cookie = ''): Promise<{ job: StartedJob; visitor: string }> => {
      const response = await client.post(
        { name: 'steps', data: { count: 1, intervalMs: 1 } },
        cookie ? { Cookie: cookie } : {},
      );
      const visitor = response.headers
        .getSetCookie()
        .find((line) => line.startsWith('headway_visitor='))
        ?.split(';')[0];
      expect(response.headers.getSetCookie()).toHaveLength(cookie ? 0 : 1);
      return { job: (await response.json()) as StartedJob, visitor: visitor ?? cookie };
    };
    const mine = await cookieOf();
    const theirs = await cookieOf();
    await cookieOf(mine.visitor);
    expect(theirs.visitor).not.toBe(mine.visitor);
    for (const suffix of ['', '/events', '/result']) {
      const status = async (Cookie: string): Promise<number> => {
        const response = await fetch(`${url}${mine.job.links.self}${suffix}`, { headers: { Cookie } });
        await response.body?.cancel();
        return response.status;
      };
      expect(await status(mine.visitor)).not.toBe(404);
      expect(await status(theirs.visitor)).toBe(404);
      // Version 0.1 set a cookie for each job.
      expect(await status(`headway_job=${mine.job.token}`)).toBe(404);
    }
  });

  it('accepts the last event id in the query too, and ignores an invalid one', async () => {
    const whole = await openStream(headway.client.events(done), { token: done.token });
    await whole.ended;
    const rest = await openStream(`${headway.client.events(done)}?lastEventId=${whole.events[0]!.id}`, {
      token: done.token,
    });
    await rest.ended;
    expect(rest.events).toEqual(whole.events.slice(1));
    for (const lastEventId of ['garbage', '-1', `${'x'.repeat(5000)}`]) {
      const again = await openStream(headway.client.events(done), { token: done.token, lastEventId });
      await again.ended;
      expect(again.events).toEqual(whole.events);
    }
  });

  it('returns 204 to a viewer that has seen the end', async () => {
    const whole = await openStream(headway.client.events(done), { token: done.token });
    await whole.ended;
    const response = await fetch(`${url}${done.links.events}`, {
      headers: { Authorization: `Bearer ${done.token}`, 'Last-Event-ID': whole.lastEventId()! },
    });
    expect(response.status).toBe(204);
    expect(await response.text()).toBe('');
  });

  it('returns no body for HEAD, even on a stream', async () => {
    for (const path of [done.links.self, running.links.events, '/healthz', '/']) {
      const response = await fetch(`${url}${path}`, {
        method: 'HEAD',
        ...bearer(path.includes(done.id) ? done.token : running.token),
      });
      expect([path, response.status]).toEqual([path, 200]);
      expect(await response.text()).toBe('');
    }
    const head = await fetch(`${url}${running.links.events}`, { method: 'HEAD', ...bearer(running.token) });
    expect(head.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    const stranger = await fetch(`${url}${running.links.events}`, { method: 'HEAD' });
    expect(stranger.status).toBe(404);
  });

  it.each([
    ['/v1/jobs', 'GET, POST, HEAD, OPTIONS'],
    ['/v1/jobs/x', 'GET, HEAD, OPTIONS'],
    ['/v1/jobs/x/events', 'GET, HEAD, OPTIONS'],
    ['/v1/jobs/x/result', 'GET, HEAD, OPTIONS'],
    ['/v1/files', 'POST, OPTIONS'],
    ['/healthz', 'GET, HEAD, OPTIONS'],
    ['/readyz', 'GET, HEAD, OPTIONS'],
  ])('lists the methods of %s in responses to OPTIONS and in 405 responses', async (path, allow) => {
    const options = await fetch(`${url}${path}`, { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe(allow);
    const wrong = await fetch(`${url}${path}`, { method: 'DELETE' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe(allow);
    expect(await wrong.json()).toMatchObject({ code: 'method-not-allowed' });
  });

  it('returns 406 to a client that does not accept event streams', async () => {
    const response = await fetch(`${url}${done.links.events}`, {
      headers: { Authorization: `Bearer ${done.token}`, Accept: 'application/json' },
    });
    expect(response.status).toBe(406);
  });

  it('returns a problem for an unknown path', async () => {
    const response = await fetch(`${url}/v1/nothing`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'not-found', status: 404 });
  });

  it('survives invalid HTTP and odd paths', async () => {
    for (const path of [
      '/v1/jobs/%',
      '/v1/jobs/%00',
      `/v1/jobs/${'a'.repeat(8000)}`,
      '/v1/jobs/..%2f..',

      '/v1/jobs/a/b/c',
    ]) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      let answer = '';
      socket.setEncoding('utf8').on('data', (data) => (answer += data));
      await once(socket, 'close');
      expect(answer, path).toMatch(/^HTTP\/1.1 40[04] /);
    }
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('serves the page with a policy that allows nothing from other origins', async () => {
    const response = await fetch(`${url}/`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch("default-src 'self'");
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.text()).toMatch('<title>');
  });

  it('lists the kinds of job with the schemas of their data', async () => {
    const { definitions } = (await (await fetch(`${url}/v1/definitions`)).json()) as {
      definitions: Array<{ name: string; input: { properties: object } }>;
    };
    expect(definitions.map(({ name }) => name)).toEqual([
      'checksum',
      'csv-import',
      'image-variant',
      'image-variants',
      'mandelbrot',
      'steps',
    ]);
    expect(definitions.at(-1)!.input.properties).toHaveProperty('count');
  });

  it('releases a stream however its viewer disconnects', async () => {
    const { connection } = headway;
    const key = `headway:{job:${running.id}}`;
    const listening = async (): Promise<unknown> =>
      ((await connection.call('PUBSUB', 'SHARDNUMSUB', key)) as unknown[])[1];
    for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`GET ${running.links.events}?token=${running.token} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      await once(socket, 'data');
      await until('it listens', async () => (await listening()) === 1);
      socket[leave]();
      await until(`it no longer listens after ${leave}`, async () => (await listening()) === 0);
    }
  });
});
