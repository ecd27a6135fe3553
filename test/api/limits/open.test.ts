import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startApi, type TestProcess } from '../../support/processes.js';
import { signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const MiB = 1024 * 1024;
const STREAM = '/stream?channel=public.a';
/** A caller on another machine, behind a proxy on this one. */
const REMOTE = '203.0.113.7';

describe('limits on what callers have open', () => {
  let headway: Headway;
  let other: TestProcess;
  let opened: AbortController[] = [];

  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        CHANNEL_RULES: '[{"channel":"public.**","subscribe":"anyone"}]',
        LIMIT_STREAMS_ANONYMOUS: '3',
        LIMIT_STREAMS_USER: '2',
        LIMIT_STREAMS_ADDRESS: '4',
        LIMIT_STREAMS_PROCESS: '9',
        LIMIT_DASHBOARDS_ANONYMOUS: '2',
        LIMIT_UPLOADS_ANONYMOUS: '1',
        LIMIT_UPLOAD_BYTES_ANONYMOUS: String(3 * MiB),
      },
    });
    other = await startApi(headway.env);
  });
  afterEach(async () => {
    for (const controller of opened) controller.abort();
    opened = [];
  });
  afterAll(async () => {
    await headway.stop();
    await other.kill();
  });

  async function open(path = STREAM, headers: Record<string, string> = {}, url = headway.api.url) {
    const controller = new AbortController();
    opened.push(controller);
    const response = await fetch(url + path, {
      headers: { Accept: 'text/event-stream', 'X-Forwarded-For': REMOTE, ...headers },
      signal: controller.signal,
    });
    const problem = response.status === 200 ? {} : ((await response.json()) as Record<string, unknown>);
    return {
      ...problem,
      status: response.status,
      headers: response.headers,
      close: () => controller.abort(),
    };
  }
  /** Opens a stream as soon as it is allowed. */
  const openWhenAllowed = (...args: Parameters<typeof open>) =>
    until('a stream is allowed', async () => {
      const stream = await open(...args);
      return stream.status === 200 ? stream : undefined;
    });
  const openMany = (count: number, ...args: Parameters<typeof open>) =>
    Promise.all(Array.from({ length: count }, () => openWhenAllowed(...args)));

  it('hold for the streams of a caller and of an address, until one is closed', async () => {
    const [first] = await openMany(3);
    const refused = await open();
    expect(refused).toMatchObject({ status: 429, code: 'quota-exceeded', limit: 'streams', max: 3 });
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(refused.headers.get('ratelimit-policy')).toBe('"streams";q=3');
    // Others are not affected: another address, and a user of the same one, as long as the address has room.
    await openWhenAllowed(STREAM, { 'X-Forwarded-For': '198.51.100.9' });
    const user = { Authorization: `Bearer ${await signer(headway.env.TOKEN_SECRET!)({ sub: 'ann' })}` };
    await openWhenAllowed(STREAM, user);
    expect(await open(STREAM, user)).toMatchObject({
      status: 429,
      detail: expect.stringContaining('address'),
    });
    first!.close();
    await openWhenAllowed(STREAM, user);
    expect(await open(STREAM, user)).toMatchObject({ status: 429, max: 4 });
    const elsewhere = { ...user, 'X-Forwarded-For': '198.51.100.10' };
    expect(await open(STREAM, elsewhere)).toMatchObject({ status: 429, max: 2 });
  });

  it('count requests that are pipelined, or whose client has gone before the answer', async () => {
    const { hostname, port } = new URL(headway.api.url);
    const head = `GET ${STREAM} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${REMOTE}\r\n\r\n`;
    const sockets: Socket[] = [];
    for (let i = 0; i < 4; i++) {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(head.repeat(3));
      // The first of them opens, which ends those behind it.
      if (i < 3) await once(socket, 'data');
      else socket.destroy();
      sockets.push(socket);
    }
    expect((await open()).status).toBe(429);
    for (const socket of sockets) socket.destroy();
    // All of them are given back: as many as before are allowed.
    await openMany(3);
  });

  it('hold for a whole process, for every caller', async () => {
    const local = { 'X-Forwarded-For': '127.0.0.1' };
    await openMany(9, STREAM, local);
    const refused = await open(STREAM, local);
    expect(refused).toMatchObject({ status: 503, code: 'unavailable', max: 9 });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect((await fetch(`${headway.api.url}/readyz`)).status).toBe(200);
  });

  it('hold for dashboards and overviews', async () => {
    await openMany(2, '/v1/dashboard/events?q=a');
    expect(await open('/v1/dashboard/events?q=b')).toMatchObject({
      status: 429,
      limit: 'dashboards',
      max: 2,
    });
    await openWhenAllowed();
  });

  it('hold for uploads at once, and for the bytes of a day', async () => {
    const upload = async (body: RequestInit['body'], from = REMOTE) => {
      const headers = { 'X-Forwarded-For': from };
      const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit;
      const response = await fetch(`${headway.api.url}/v1/files?name=x`, init);
      const policy = response.headers.get('ratelimit');
      return { ...((await response.json()) as object), status: response.status, policy };
    };
    expect(await upload(new Uint8Array(3 * MiB + 1))).toMatchObject({ status: 413, code: 'file-too-large' });

    const { hostname, port } = new URL(headway.api.url);
    const half = connect(Number(port), hostname);
    half.on('error', () => {});
    half.write(
      `POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${REMOTE}\r\nContent-Length: ${2 * MiB}\r\n\r\nx`,
    );
    const partial = join(headway.env.DATA_DIR!, 'files', 'tmp');
    await until('it has begun', () => existsSync(partial) && readdirSync(partial).length > 0);
    expect(await upload('x')).toMatchObject({ code: 'quota-exceeded', limit: 'uploads', max: 1 });
    half.destroy();

    // What the aborted upload has not sent is given back; what it has sent counts as a small file, which is 1 MiB.
    const stored = await until('an upload is allowed', async () => {
      const answer = await upload(new Uint8Array(1.5 * MiB));
      return answer.status === 201 ? answer : undefined;
    });
    expect(stored.policy).toContain('"upload-bytes";r=');
    const refused = { status: 429, code: 'rate-limited', limit: 'upload-bytes', max: 3 * MiB };
    expect(await upload('x')).toMatchObject(refused);
    // Of unknown length, and larger than what is counted at first; less than a step is left.
    const chunked = (bytes: number, from: string) => upload(new Blob([new Uint8Array(bytes)]).stream(), from);
    expect(await chunked(2 * MiB, '198.51.100.20')).toMatchObject({ status: 201 });
    expect(await upload('x', '198.51.100.20')).toMatchObject({ status: 201 });
    expect(await upload('x', '198.51.100.20')).toMatchObject(refused);
    expect(await chunked(12 * MiB, '198.51.100.21')).toMatchObject(refused);
  });

  it('are shared by all processes, and forget a process that was killed', async () => {
    // A process asks for the counts of the others while it has streams itself.
    await openWhenAllowed(STREAM, {}, other.url);
    await openMany(3);
    await until('the other process knows', async () => {
      const there = await open(STREAM, {}, other.url);
      there.close();
      return there.status === 429;
    });
    await headway.api.kill();
    await openWhenAllowed(STREAM, {}, other.url);
  });
});
