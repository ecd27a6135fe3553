import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, readFileSync, renameSync } from 'node:fs';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Certificate, createAuthority } from '../support/certificates.js';
import { CliUser } from '../support/cli.js';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { connectH2, openH2Stream, requestH2, seen, watchH2 } from '../support/h2-viewer.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, temporaryFolder } from '../support/processes.js';
import { Scrape } from '../support/prometheus.js';
import { openToAll } from '../support/rules.js';
import { until } from '../support/until.js';

/** Streams that one caller may have. */
const STREAMS = 20;
const MiB = 1024 * 1024;
const NAMES = 'DNS:localhost,IP:127.0.0.1';

const residentBytes = (pid: number): number =>
  1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);

describe('an API that serves HTTP/2 itself', () => {
  let headway: Headway;
  const authority = createAuthority();
  const { ca } = authority;
  const open: Array<() => void> = [];
  beforeAll(async () => {
    const { cert, key } = authority.certify(NAMES);
    headway = await startHeadway({
      appendOnly: true,
      env: {
        ...openToAll,
        ADMIN_TOKEN,
        TLS_CERT: cert,
        TLS_KEY: key,
        JOBS_DIR: jobsDir('steered'),
        LIMIT_LOOPBACK: 'on',
        LIMIT_STREAMS_ANONYMOUS: String(STREAMS),
        LIMIT_STREAM_OPENS_ANONYMOUS: '0',
        LIMIT_REQUESTS_ANONYMOUS: '0',
      },
    });
  });
  afterEach(() => {
    for (const close of open.splice(0)) close();
  });
  afterAll(() => headway.stop());

  const json = { 'content-type': 'application/json' };
  async function openSession(): Promise<ClientHttp2Session> {
    const session = await connectH2(headway.api.url);
    open.push(() => session.destroy());
    return session;
  }
  async function startJob(session: ClientHttp2Session, turns: string): Promise<StartedJob> {
    const body = JSON.stringify({ name: 'steered', data: { turns } });
    const { status, text } = await requestH2(session, 'POST', '/v1/jobs', body, json);
    expect(status).toBe(202);
    return JSON.parse(text);
  }
  const publish = async (session: ClientHttp2Session, channel: string, data: string): Promise<void> => {
    const body = JSON.stringify({ data });
    expect((await requestH2(session, 'POST', `/v1/channels/${channel}`, body, json)).status).toBe(200);
  };
  const openStreams = async (): Promise<number> => {
    const metrics = await (await fetch(headway.api.metrics)).text();
    return Number(/^headway_stream_viewers\{kind="channel"\} (\d+)/m.exec(metrics)?.[1]);
  };

  it('serves jobs, pages, the board and uploads over one connection, and HTTP/1.1 on the same port', async () => {
    const session = await openSession();
    const user = { authorization: `Bearer ${ADMIN_TOKEN}` };
    for (const [path, type] of [
      ['/', 'text/html'],
      ['/dashboard', 'text/html'],
      ['/admin/queues', 'text/html'],
      ['/admin/queues/api/queues', 'application/json'],
      ['/client/index.js', 'text/javascript'],
      ['/openapi.json', 'application/json'],
      ['/readyz', 'application/json'],
      ['/v1/jobs', 'application/json'],
    ] as const) {
      const { status, headers } = await requestH2(session, 'GET', path, '', user);
      expect([path, status, String(headers['content-type']).split(';')[0]]).toEqual([path, 200, type]);
    }
    const started = await requestH2(
      session,
      'POST',
      '/v1/jobs',
      JSON.stringify({ name: 'steps', data: { count: 3, intervalMs: 0 } }),
      json,
    );
    expect(String(started.headers['set-cookie'])).toContain('Secure');
    const { links, token } = JSON.parse(started.text) as StartedJob;
    const stream = await openH2Stream(session, links.events, { authorization: `Bearer ${token}` });
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ event: 'completed' });
    const { id } = stream.events.at(-1)!;
    const again = { accept: 'text/event-stream', authorization: `Bearer ${token}`, 'last-event-id': id! };
    expect((await requestH2(session, 'GET', links.events, '', again)).status).toBe(204);
    const uploaded = await requestH2(session, 'POST', '/v1/files?name=a.txt', 'x'.repeat(200_000));
    expect([uploaded.status, JSON.parse(uploaded.text).size]).toEqual([201, 200_000]);
    for (const [method, path, status] of [
      ['GET', '/nothing', 404],
      ['HEAD', links.events, 404],
      ['OPTIONS', '/v1/jobs', 204],
      ['POST', '/v1/jobs', 400],
    ] as const) {
      expect([path, (await requestH2(session, method, path, '', json)).status]).toEqual([path, status]);
    }

    const probe = request(`${headway.api.url}/healthz`, { ca: readFileSync(ca) }).end();
    const [answer] = await once(probe, 'response');
    answer.resume();
    expect([answer.statusCode, answer.httpVersion]).toEqual([200, '1.1']);
    const cli = new CliUser(headway.api.url, { NODE_EXTRA_CA_CERTS: ca });
    const { end } = cli.start(['run', 'steps', '--data', '{"count":2,"intervalMs":0}']);
    expect(await end).toMatchObject({ code: 0 });
    expect(headway.api.output()).not.toContain('Warning');
  });

  it('counts each stream of a connection for the limits of its caller', async () => {
    const session = await openSession();
    const channel = 'public.counted';
    const path = `/stream?channel=${channel}`;
    const streams = await Promise.all(Array.from({ length: STREAMS }, () => openH2Stream(session, path)));
    expect(streams.map(({ status }) => status)).toEqual(Array(STREAMS).fill(200));
    const refused = await requestH2(session, 'GET', path, '', { accept: 'text/event-stream' });
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([429, 'quota-exceeded']);
    await publish(session, channel, 'to all');
    await until('all viewers have it', () => streams.every(({ events }) => events[0]?.data === 'to all'));
    expect(await openStreams()).toBe(STREAMS);
    streams[0]!.stream.close(constants.NGHTTP2_CANCEL);
    await until('there is room', async () => (await openStreams()) === STREAMS - 1);
    expect((await openH2Stream(session, path)).status).toBe(200);
    session.destroy();
    await until('all have left', async () => (await openStreams()) === 0);
  });

  it('a viewer stays connected while Redis restarts, and misses nothing', async () => {
    const { connection, redis } = headway;
    const session = await openSession();
    const job = await startJob(session, 'away');
    const stream = await openH2Stream(session, job.links.events, { authorization: `Bearer ${job.token}` });
    for (const turn of ['log before', '40']) await connection.lpush('away', turn);
    await until('it progresses', () => stream.events.some(({ event }) => event === 'progress'));
    await redis.kill('SIGKILL');
    await until('the viewer is told', () => stream.comments.some((text) => text.includes('waiting')));
    await redis.restart();
    for (const turn of ['log after', '60', 'end']) await connection.lpush('away', turn);
    await stream.ended;
    const said = stream.events.flatMap(({ event, data }) =>
      event === 'log' ? (JSON.parse(data) as { message: string }).message : event === 'progress' ? [] : event,
    );
    expect(said).toEqual(['waiting', 'active', 'before', 'after', 'completed']);
    expect(new Set(stream.events.map(({ id }) => id)).size).toBe(stream.events.length);
  });

  it('viewers that do not read cost a bounded amount of memory, and delay nobody', async () => {
    const { url, child } = headway.api;
    const path = '/stream?channel=public.unread';
    const publisher = await openSession();
    /** Its windows are larger than all that is sent: only its socket does not read. */
    async function openStopped(): Promise<void> {
      let socket: TLSSocket | undefined;
      const session = connect(url, {
        settings: { initialWindowSize: 2 ** 30 },
        createConnection: () => {
          const { port } = new URL(url);
          socket = connectTls({ port: Number(port), ALPNProtocols: ['h2'], rejectUnauthorized: false });
          return socket;
        },
      });
      session.on('error', () => {});
      open.push(() => session.destroy());
      await once(session, 'connect');
      session.setLocalWindowSize(2 ** 30);
      for (let i = 0; i < 5; i++) {
        const stream = session.request({ ':path': path, accept: 'text/event-stream' });
        stream.on('error', () => {});
        await once(stream, 'response');
        stream.resume();
      }
      (socket as unknown as { _handle: { readStop(): void } })._handle.readStop();
    }
    /** It lets the flow control of its streams end. */
    const unread = await openSession();
    for (let i = 0; i < 5; i++) {
      const stream = unread.request({ ':path': path, accept: 'text/event-stream' });
      stream.on('error', () => {});
      await once(stream, 'response');
    }
    await openStopped();
    const healthy = await openH2Stream(publisher, path);
    const text = 'x'.repeat(400_000);
    await publish(publisher, 'public.unread', text);
    const before = residentBytes(child.pid!);
    for (let count = 2; count <= 50; count++) {
      await publish(publisher, 'public.unread', text);
      await until('a viewer that reads has everything', () => healthy.events.length === count);
    }
    // Each of the ten would have 20 MB in memory.
    expect(residentBytes(child.pid!) - before).toBeLessThan(100 * MiB);
  });

  it('works with several processes, which all use a renewed certificate and send GOAWAY before they are replaced', async () => {
    const folder = temporaryFolder();
    const [TLS_CERT, TLS_KEY] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const install = ({ cert, key }: Certificate): string => {
      for (const [from, to] of [
        [cert, TLS_CERT],
        [key, TLS_KEY],
      ] as const) {
        copyFileSync(from, `${to}.new`);
        renameSync(`${to}.new`, to);
      }
      return new X509Certificate(readFileSync(cert)).serialNumber;
    };
    const first = install(authority.certify(NAMES));
    const api = await startApi({ ...headway.env, TLS_CERT, TLS_KEY, API_PROCESSES: '2', LOG_LEVEL: 'info' });
    open.push(() => void api.kill());
    const viewers = Array.from({ length: 4 }, () => watchH2(api.url, '/stream?channel=public.renewed'));
    open.push(...viewers.map(({ close }) => close));
    await until('both processes have viewers', async () => {
      const scrape = await Scrape.of(api.metrics);
      const numbers = ['1', '2'].map((process) => scrape.value('headway_stream_viewers', { process }) ?? 0);
      return Math.min(...numbers) > 0 && numbers.reduce((sum, number) => sum + number) === viewers.length;
    });
    /** The certificates of connections to both processes, with either protocol. */
    const serials = async (): Promise<string[]> => {
      const tls = { host: '127.0.0.1', port: Number(new URL(api.url).port), ca: readFileSync(ca) };
      return Promise.all(
        ['h2', 'http/1.1', 'h2', 'http/1.1'].map(async (protocol) => {
          const socket = connectTls({ ...tls, ALPNProtocols: [protocol] });
          await once(socket, 'secureConnect');
          expect(socket.alpnProtocol).toBe(protocol);
          const { serialNumber } = socket.getPeerCertificate();
          socket.destroy();
          return serialNumber;
        }),
      );
    };
    expect(await serials()).toEqual(Array(4).fill(first));
    const renewed = install(authority.certify(NAMES));
    const users = (): number => api.output().match(/"msg":"using the new certificate"/g)?.length ?? 0;
    await until('both processes use it', () => users() === 2);
    expect(await serials()).toEqual(Array(4).fill(renewed));

    const sessions = await Promise.all([connectH2(api.url), connectH2(api.url)]);
    open.push(...sessions.map((session) => () => session.destroy()));
    const left = sessions.map(async (session) => {
      const stream = await openH2Stream(session, '/stream?channel=public.renewed');
      const [code] = await once(session, 'goaway');
      // The stream goes on until it is told when to come back.
      const isOpen = !stream.stream.closed;
      await stream.ended;
      return [code, isOpen, stream.stream.rstCode, stream.retry() !== undefined];
    });
    await publish(sessions[0]!, 'public.renewed', 'before');
    await Promise.all(viewers.map((viewer) => seen(viewer, 'before')));
    api.child.kill('SIGHUP');
    for (const how of await Promise.all(left)) expect(how).toEqual([0, true, 0, true]);
    await until('both are replaced', () => api.output().includes('all processes are replaced'));
    await until('the viewers are back', () => viewers.every(({ opened }) => opened() > 1));
    const session = await connectH2(api.url);
    open.push(() => session.destroy());
    await publish(session, 'public.renewed', 'after');
    await Promise.all(viewers.map((viewer) => seen(viewer, 'after')));
    expect(viewers.map(({ data }) => data)).toEqual(Array(4).fill(['before', 'after']));
    expect(await serials()).toEqual(Array(4).fill(renewed));
    await api.stop();
    expect(api.child.exitCode).toBe(0);
    expect(api.output()).not.toMatch(/"level":(50|60)|Warning/);
  }, 60_000);

  it('ends the streams of a connection one after another when it stops', async () => {
    const { api, connection } = headway;
    const session = await openSession();
    const job = await startJob(session, 'watched');
    await connection.lpush('watched', '10');
    await until('nobody else watches', async () => (await openStreams()) === 0);
    const streams = await Promise.all(
      Array.from({ length: STREAMS }, () =>
        openH2Stream(session, job.links.events, { authorization: `Bearer ${job.token}` }),
      ),
    );
    const away = once(session, 'goaway');
    const exited = once(api.child, 'exit');
    api.child.kill('SIGTERM');
    await away;
    await Promise.all(streams.map(({ ended }) => ended));
    for (const { stream, retry } of streams) {
      expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
      expect(retry()).toBeGreaterThanOrEqual(1000);
    }
    expect(new Set(streams.map(({ retry }) => retry())).size).toBeGreaterThan(1);
    await exited;
    expect(api.child.exitCode).toBe(0);
    expect(api.output()).not.toContain('timed out');
  });
});
