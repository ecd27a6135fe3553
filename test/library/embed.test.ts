import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import { get } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  createHeadway,
  defineJob,
  type Headway,
  HeadwayError,
  type HeadwayOptions,
  type JobEvent,
  type ListOptions,
} from '../../src/api/headway.js';
import { isHeadwayPath } from '../../src/api/http/embed.js';
import { createWorker, type HeadwayWorker } from '../../src/worker/headway.js';
import { CERTIFICATE, KEY } from '../support/certificate.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { block } from '../support/documentation.js';
import { connectH2, openH2Stream, requestH2 } from '../support/h2-viewer.js';
import { temporaryFolder } from '../support/processes.js';
import { startRedis, type TestRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { call, signer } from '../support/tokens.js';
import { until } from '../support/until.js';

const FRIEND = 'https://app.example';

const greet = defineJob({
  name: 'greet',
  input: z.object({ names: z.array(z.string()) }),
  result: z.object({ greeting: z.string() }),
  async run({ names }, ctx) {
    for (const [i] of names.entries()) ctx.progress({ current: i + 1, total: names.length });
    return { greeting: `Hello ${names.join(' and ')}` };
  },
});

const talk = defineJob({
  name: 'talk',
  input: z.object({ lines: z.number() }),
  result: z.object({}),
  events: { said: z.object({ lines: z.number(), at: z.date() }) },
  async run({ lines }, ctx) {
    for (let i = 0; i < lines; i++) await ctx.log(`line ${i}`);
    ctx.emit('said', { lines, at: new Date() });
    return {};
  },
});

describe('Headway embedded in an Express application', () => {
  let redis: TestRedis;
  let headway: Headway;
  let worker: HeadwayWorker;
  let server: Server;
  let url: string;
  const settings = {
    DATA_DIR: temporaryFolder(),
    CORS_ORIGINS: `${FRIEND},http://127.0.0.1:8080`,
    TOKEN_SECRET: 'a secret for tests that is long enough',
  };
  beforeAll(async () => {
    redis = await startRedis();
    [headway, worker] = await Promise.all([
      createHeadway({
        redis: redis.url,
        jobs: [greet, talk],
        settings: { ...settings, LIMIT_JOBS_USER: 2 },
        authorize: (_principal, action, channel) => (action === 'publish' ? channel === 'open' : undefined),
      }),
      createWorker({ redis: redis.url, jobs: [greet, talk], settings }),
    ]);
    const app = express();
    app.set('trust proxy', true);
    app.get('/own', (_req, res) => void res.send('theirs'));
    app.use(headway.router);
    app.use('/their/jobs', headway.router);
    app.post('/after', express.json(), (req, res) => void res.json(req.body));
    app.get('/v1/own', (req, res) => void res.json(req.query));
    app.use((_req, res) => void res.status(404).send('their own answer'));
    server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await Promise.all([worker.close(), headway.close()]);
    server.closeAllConnections();
    server.close();
    await redis.stop();
  });

  describe('the HTTP server of the application', () => {
    const listening = async (): Promise<{ own: Server; at: string }> => {
      const app = express();
      app.use(headway.router);
      const own = createServer(app).listen(0, '127.0.0.1');
      await once(own, 'listening');
      return { own, at: `http://127.0.0.1:${(own.address() as AddressInfo).port}` };
    };
    const streams = async (at: string) => {
      const job = await clientOf(at).start('greet', { names: ['Ada'] }, { delayMs: 60_000 });
      const open = () => openStream(`${at}/v1/jobs/${job.id}/events`, { token: job.token });
      const all = await Promise.all([open(), open()]);
      await Promise.all(all.map((stream) => stream.waitFor('delayed')));
      return all;
    };

    it('ends the streams when it is closed, and closes', async () => {
      const { own, at } = await listening();
      // As libraries for graceful shutdown do.
      const sockets = new Set<Socket>();
      own.on('connection', (socket: Socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
      const all = await streams(at);
      const closed = once(own, 'close');
      own.close();
      await Promise.all(all.map((stream) => stream.ended));
      await closed;
      await until('each connection has said that it is closed', () => sockets.size === 0);
      own.listen(0, '127.0.0.1');
      await once(own, 'listening');
      const again = await streams(`http://127.0.0.1:${(own.address() as AddressInfo).port}`);
      own.closeAllConnections();
      await Promise.all(again.map((stream) => stream.ended));
      own.close();
    });
  });

  it('starts, runs and shows jobs beside the routes of the application', async () => {
    const client = clientOf(url);
    const job = await client.start('greet', { names: ['Ada', 'Grace'] });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({
      event: 'completed',
      data: { result: { greeting: 'Hello Ada and Grace' } },
    });
    expect(stream.names()).toContain('progress');
    expect(await (await fetch(`${url}/own`)).text()).toBe('theirs');
    expect(await (await call(`${url}/after`, 'POST', undefined, { a: 1 })).json()).toEqual({ a: 1 });
    for (const path of [
      '/',
      '/nothing',
      '/dashboard',
      '/dashboard-of-theirs',
      '/docs',
      '/client/theirs.js',
    ]) {
      const answer = await fetch(`${url}${path}`);
      expect([answer.status, await answer.text()]).toEqual([404, 'their own answer']);
    }
  });

  it('http2: serves HTTP/2 beside an application that serves HTTP/1.1', async () => {
    const app = express().get('/own', (_req, res) => void res.send('theirs'));
    const code = block('http2').replace(/^import .*$/m, '');
    const own: Http2SecureServer = new Function(
      ...['createSecureServer', 'cert', 'key', 'app', 'headway'],
      `${code}; return server;`,
    )(createSecureServer, CERTIFICATE, KEY, app, headway);
    own.listen(0, '127.0.0.1');
    await once(own, 'listening');
    const at = `https://localhost:${(own.address() as AddressInfo).port}`;
    const session = await connectH2(at);
    onTestFinished(() => {
      session.destroy();
      own.close();
    });
    const body = JSON.stringify({ name: 'greet', data: { names: ['Ada'] } });
    const started = await requestH2(session, 'POST', '/v1/jobs', body, {
      'content-type': 'application/json',
    });
    expect(started.status).toBe(202);
    const { links, token } = JSON.parse(started.text) as StartedJob;
    const stream = await openH2Stream(session, `${links.events}?token=${token}`);
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed' });
    expect((await requestH2(session, 'GET', '/their-page')).status).toBe(404);
    const http1 = get(`${at}/own`, { rejectUnauthorized: false });
    const [response] = (await once(http1, 'response')) as [IncomingMessage];
    expect([response.httpVersion, response.statusCode]).toEqual(['1.1', 200]);
    response.resume();
  });

  describe('jobs from the code of the application', () => {
    const later = { delayMs: 60_000 };

    it('start and are watched like those over HTTP, which show the same job', async () => {
      const key = { idempotencyKey: 'once' };
      const job = await headway.startJob(greet, { names: ['Ada', 'Grace'] }, key);
      const seen: JobEvent[] = [];
      for await (const event of headway.watch(job)) seen.push(event);
      expect(seen.at(-1)).toMatchObject({
        event: 'completed',
        data: { jobId: job.id, result: { greeting: 'Hello Ada and Grace' } },
      });
      expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
      const stream = await openStream(`${url}${job.links.events}`, { token: job.token });
      await stream.ended;
      expect(stream.events.at(-1)!.id).toBe(seen.at(-1)!.id);
      const rest: JobEvent[] = [];
      for await (const event of headway.watch(job.id, { after: seen[0]!.id })) rest.push(event);
      expect(rest.at(-1)).toEqual(seen.at(-1));
      expect(seen.slice(1)).toEqual(expect.arrayContaining(rest));
      for await (const event of headway.watch(job.id, { after: rest.at(-1)!.id })) expect(event).toBe('none');
      expect((await headway.startJob('greet', { names: ['Ada', 'Grace'] }, key)).id).toBe(job.id);
    });

    it('are refused by the checks of the HTTP API', async () => {
      // @ts-expect-error the definition types the data
      const wrong = headway.startJob(greet, { name: 'Ada' });
      await expect(wrong).rejects.toBeInstanceOf(HeadwayError);
      await expect(wrong).rejects.toMatchObject({
        code: 'invalid-data',
        errors: [{ pointer: '/data/names' }],
      });
      for (const [refused, code] of [
        [() => headway.startJob('nothing'), 'unknown-job'],
        [() => headway.startJob(greet, { names: [] }, { attempts: 0 }), 'invalid-request'],
        [() => headway.startJob(greet, { names: [] }, { owner: { sub: '' } }), 'invalid-request'],
        [
          () => headway.startJob('greet', { names: [new Date()], more: 'x'.repeat(2 ** 21) }),
          'body-too-large',
        ],
        [() => headway.cancel('greet.none'), 'not-found'],
        [() => headway.watch('greet.none').next(), 'not-found'],
        [() => headway.list({ limit: 1000 }), 'invalid-request'],
      ] as const) {
        await expect(refused()).rejects.toMatchObject({ code });
      }
    });

    it('belong to a user, whose limits apply, or to the application', async () => {
      const owner = { sub: 'ada' };
      const start = () => headway.startJob(greet, { names: ['Ada'] }, { ...later, owner, tags: ['hers'] });
      const [one, other] = [await start(), await start()];
      await expect(start()).rejects.toMatchObject({ code: 'quota-exceeded' });
      const own = await headway.startJob(greet, { names: ['Ada'] }, { ...later, tags: ['hers'] });
      const statusFor = async (job: { id: string }, sub: string) =>
        (await call(`${url}/v1/jobs/${job.id}`, 'GET', await signer(settings.TOKEN_SECRET)({ sub }))).status;
      expect([await statusFor(one, 'ada'), await statusFor(one, 'eve'), await statusFor(own, 'ada')]).toEqual(
        [200, 404, 404],
      );
      const idsOf = async (options: ListOptions) =>
        (await headway.list(options)).jobs.map(({ id }) => id).sort();
      expect(await idsOf({ owner })).toEqual([one.id, other.id].sort());
      const all = [one.id, other.id, own.id].sort();
      expect(await idsOf({ tag: 'hers', from: new Date(0) })).toEqual(all);
      expect(await idsOf({ tag: 'hers', to: new Date(0) })).toEqual([]);
      const { jobs, next } = await headway.list({ tag: ['hers'], limit: 2 });
      const more = await idsOf({ tag: 'hers', limit: 2, cursor: next });
      expect([...jobs.map(({ id }) => id), ...more].sort()).toEqual(all);
      for (const job of [one, other, own])
        expect(await headway.cancel(job)).toMatchObject({ id: job.id, state: 'cancelled' });
      expect(await idsOf({ owner, state: ['waiting', 'delayed', 'active'] })).toEqual([]);
    });

    it('wait for a slow reader without losing a line, and end with a signal', async () => {
      const job = await headway.startJob(talk, { lines: 450 });
      const { id, token } = job;
      const lines: unknown[] = [];
      let said: { lines: number; at: string } | undefined;
      for await (const { event, data } of headway.watch(job)) {
        if (event === 'said') said = data.data;
        if (event !== 'log') continue;
        // The job ends, while this reader has taken one line.
        if (lines.length === 0) await (await openStream(`${url}/v1/jobs/${id}/events`, { token })).ended;
        lines.push(data.message);
      }
      expect(lines).toEqual(Array.from({ length: 450 }, (_, i) => `line ${i}`));
      expect(said).toEqual({ lines: 450, at: expect.stringMatching(/^2.*Z$/) });

      const { id: waiting } = await headway.startJob(greet, { names: [] }, later);
      const abort = new AbortController();
      const events = headway.watch(waiting, { signal: abort.signal });
      expect(await events.next()).toMatchObject({ value: { event: 'delayed' } });
      const next = events.next();
      abort.abort(new Error('enough'));
      await expect(next).rejects.toThrow('enough');
    });
  });

  it('still serves while it drains, and tells its viewers when to reconnect', async () => {
    const own = await createHeadway({
      redis: redis.url,
      jobs: [greet],
      settings: { ...settings, DRAIN_DELAY_MS: 3000 },
    });
    const app = express().use(own.router);
    const ownServer = createServer(app).listen(0, '127.0.0.1');
    onTestFinished(() => {
      ownServer.closeAllConnections();
      ownServer.close();
    });
    await once(ownServer, 'listening');
    const at = `http://127.0.0.1:${(ownServer.address() as AddressInfo).port}`;
    const job = await clientOf(at).start('greet', { names: ['Ada'] }, { delayMs: 60_000 });
    const stream = await openStream(`${at}/v1/jobs/${job.id}/events`, { token: job.token });
    const watched = own.watch(job.id);
    await watched.next();
    const missed = watched.next();
    missed.catch(() => {});
    const closed = own.close();
    const [ready, served] = await Promise.all([fetch(`${at}/readyz`), clientOf(at).get(job)]);
    expect([ready.status, served.status]).toEqual([503, 200]);
    expect(served.headers.get('connection')).toBe('close');
    await closed;
    await stream.ended;
    expect(stream.raw()).toMatch(/\nretry: \d+\n\n$/);
    // Without an error, the application would take it for the end of the job.
    await expect(missed).rejects.toMatchObject({ code: 'unavailable' });
    await expect(own.startJob(greet, { names: [] })).rejects.toMatchObject({ code: 'unavailable' });
    expect((await clientOf(at).get(job)).status).toBe(503);
  });

  it('stops waiting for Redis when its signal is aborted', async () => {
    const abort = new AbortController();
    const options = { redis: 'unix:/nowhere.sock', jobs: [greet], settings, signal: abort.signal };
    const started = Promise.allSettled([createHeadway(options), createWorker(options)]);
    abort.abort();
    for (const outcome of await started) {
      expect(outcome).toMatchObject({ reason: { name: 'UnusableRedisError' } });
    }
  });

  it('can be mounted at a path, which all of its links contain', async () => {
    const base = '/their/jobs';
    const answer = await clientOf(`${url}${base}`).post({ name: 'greet', data: { names: ['Ada'] } });
    const job = (await answer.json()) as StartedJob;
    expect(answer.headers.get('location')).toBe(`${base}/v1/jobs/${job.id}`);
    for (const link of Object.values(job.links)) expect(link).toMatch(/^\/their\/jobs\/v1\/jobs\//);
    expect(answer.headers.getSetCookie().map((cookie) => /Path=[^;]*/.exec(cookie)![0])).toEqual([
      `Path=${base}`,
    ]);
    const stream = await openStream(`${url}${job.links.events}`, { token: job.token });
    await stream.ended;
    expect(stream.names().at(-1)).toBe('completed');
    expect(await (await fetch(`${url}${base}/openapi.json`)).json()).toMatchObject({
      servers: [{ url: base }],
    });
    expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({ servers: [{ url: '/' }] });
    expect(await (await fetch(`${url}${base}/client/default-url.js`)).text()).toContain(`"${base}/"`);
    const theirs = await fetch(`${url}${base}/own`);
    expect([theirs.status, await theirs.text()]).toEqual([404, 'their own answer']);
  });

  it('answers requests of the Fetch API, also under a path and over TLS', async () => {
    const start = (url: string, options = {}) => {
      const headers = { 'Content-Type': 'application/json' };
      const body = JSON.stringify({ name: 'talk', data: { lines: 3 } });
      return headway.fetch(new Request(url, { method: 'POST', headers, body }), options);
    };
    const under = { basePath: '/api/headway/' };
    const answer = await start('https://shop.example/api/headway/v1/jobs', under);
    const job = (await answer.json()) as StartedJob;
    expect([answer.status, answer.headers.get('location')]).toEqual([202, `/api/headway/v1/jobs/${job.id}`]);
    expect(answer.headers.getSetCookie().join()).toMatch(
      /^__Secure-headway_visitor=.*; Path=\/api\/headway;.*; HttpOnly; Secure/,
    );
    const events = new Request(`https://shop.example${job.links.events}?token=${job.token}`);
    const stream = await headway.fetch(events, under);
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(await stream.text()).toMatch(/event: said\n.*event: completed\n/s);
    const plain = await start('http://127.0.0.1/v1/jobs');
    expect(plain.headers.getSetCookie().join()).toMatch(
      /^headway_visitor=.*; Path=\/;.*; HttpOnly; SameSite/,
    );
    const own = await headway.fetch(new Request('http://127.0.0.1/own'));
    expect([own.status, own.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
  });

  it('does not change the application: headers, cross-site requests, preflights, query strings', async () => {
    const [ours, own, fallen] = await Promise.all(
      ['/v1/definitions', '/own', '/client/theirs.js'].map((path) => fetch(`${url}${path}`)),
    );
    expect(ours!.headers.get('content-security-policy')).toContain("default-src 'self'");
    for (const { headers } of [own!, fallen!]) {
      expect(headers.get('content-security-policy')).toBeNull();
      expect(headers.get('x-powered-by')).toBe('Express');
    }
    const evil = { Origin: 'https://evil.example', Cookie: 'theirs=1', 'Content-Type': 'application/json' };
    const posted = await fetch(`${url}/after`, { method: 'POST', headers: evil, body: '{"a":1}' });
    expect(await posted.json()).toEqual({ a: 1 });
    const refused = await fetch(`${url}/v1/jobs`, {
      method: 'POST',
      headers: evil,
      body: '{"name":"greet"}',
    });
    expect(refused.status).toBe(403);
    const preflight = await fetch(`${url}/own`, { method: 'OPTIONS', headers: { Origin: FRIEND } });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    expect(await (await fetch(`${url}/v1/own?a=1`)).json()).toEqual({ a: '1' });
  });

  it('allows pages of this machine under each of its names, if one is allowed', async () => {
    const allowed = async (origin: string) => {
      const preflight = await fetch(`${url}/v1/jobs`, { method: 'OPTIONS', headers: { Origin: origin } });
      const headers = { Origin: origin, 'Sec-Fetch-Site': 'cross-site', 'Content-Type': 'application/json' };
      const posted = await fetch(`${url}/v1/jobs`, { method: 'POST', headers, body: '{"name":"greet"}' });
      return [preflight.headers.get('access-control-allow-origin'), posted.status];
    };
    for (const origin of ['http://127.0.0.1:8080', 'http://localhost:8080', 'http://[::1]:8080']) {
      expect(await allowed(origin)).toEqual([origin, 422]);
    }
    for (const origin of ['http://localhost:8081', 'https://localhost:8080', 'http://a.localhost:8080']) {
      expect(await allowed(origin)).toEqual([null, 403]);
    }
  });

  it('handles every path of its API reference', async () => {
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
      paths: Record<string, unknown>;
    };
    const outside = Object.keys(paths).filter((path) => !isHeadwayPath(path));
    // The application merges our metrics into its own.
    expect(outside).toEqual(['/metrics']);
    expect(['/', '/v1', '/v1/jobsites', '/v1/own', '/clients', '/docs'].filter(isHeadwayPath)).toEqual([]);
  });

  it('sets Secure cookies if the application trusts the proxy that terminates TLS', async () => {
    const headers = { 'Content-Type': 'application/json', 'X-Forwarded-Proto': 'https' };
    const body = JSON.stringify({ name: 'greet', data: { names: ['Ada'] } });
    const answer = await fetch(`${url}/v1/jobs`, { method: 'POST', headers, body });
    expect(answer.headers.getSetCookie().join()).toMatch(/__Host-headway_visitor=.*Secure/);
  });

  it('knows only the jobs that it was given, and calls the `authorize` hook', async () => {
    const client = clientOf(url);
    const answer = await client.post({ name: 'steps', data: {} });
    expect(await answer.json()).toMatchObject({
      code: 'unknown-job',
      detail: expect.stringContaining('greet'),
    });
    expect((await call(`${url}/v1/channels/open`, 'POST', undefined, { data: 1 })).status).toBe(200);
    expect((await call(`${url}/v1/channels/closed`, 'POST', undefined, { data: 1 })).status).toBe(401);
  });

  it.each<[string, HeadwayOptions, string]>([
    ['an invalid job definition', { jobs: [{ name: 'x' } as never] }, 'jobs[0] must be a job definition'],
    ['two jobs with one name', { jobs: [greet, { ...greet }] }, 'two jobs are named "greet"'],
    [
      'a job object that should run in a thread',
      { jobs: [{ ...greet, thread: true }] },
      'pass its folder instead',
    ],
    ['a missing folder', { jobs: ['/nowhere'] }, '/nowhere'],
    ['an invalid setting', { jobs: [greet], settings: { PORT: 'x' } }, 'PORT'],
    ['a missing module', { jobs: [greet], settings: { AUTHORIZE_MODULE: '/no.js' } }, 'AUTHORIZE_MODULE'],
  ])('rejects %s', async (_what, options, message) => {
    await expect(createHeadway({ redis: redis.url, ...options })).rejects.toThrow(message);
  });
});
