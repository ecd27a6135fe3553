import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Headway, startHeadway } from '../../support/headway.js';
import { startApi, type TestProcess } from '../../support/processes.js';
import { signer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const MiB = 1024 * 1024;
const STREAM = '/stream?channel=public.a';
/** How many streams may be opened in a minute. */
const OPENS = { anonymous: 30, user: 8, address: 60 };
/** Each test has a caller on another machine, behind a proxy on this one. */
let remote = '';
let nextAddress = 1;

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
        LIMIT_STREAM_OPENS_ANONYMOUS: String(OPENS.anonymous),
        LIMIT_STREAM_OPENS_USER: String(OPENS.user),
        LIMIT_STREAM_OPENS_ADDRESS: String(OPENS.address),
        LIMIT_DASHBOARDS_ANONYMOUS: '2',
        LIMIT_UPLOADS_ANONYMOUS: '1',
        LIMIT_UPLOAD_BYTES_ANONYMOUS: String(3 * MiB),
      },
    });
    other = await startApi(headway.env);
  });
  beforeEach(() => {
    remote = `203.0.113.${nextAddress++}`;
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
      headers: { Accept: 'text/event-stream', 'X-Forwarded-For': remote, ...headers },
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
    const head = `GET ${STREAM} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${remote}\r\n\r\n`;
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

  it('hold for the streams that are opened in a minute, in all processes, even if they are closed at once', async () => {
    const userOf = async (sub: string) => ({
      Authorization: `Bearer ${await signer(headway.env.TOKEN_SECRET!)({ sub })}`,
    });
    /** Opens a stream and closes it, as soon as the address has few enough open ones. */
    const openOnce = async (headers: Record<string, string>, url = headway.api.url) => {
      const answer = await until('few are open', async () => {
        const opened = await open(STREAM, headers, url);
        return 'code' in opened && opened.code === 'quota-exceeded' ? undefined : opened;
      });
      answer.close();
      return answer;
    };
    const openUntilRefused = async (headers: Record<string, string>) => {
      for (let count = 0; ; count++) {
        const answer = await openOnce(headers);
        if (answer.status !== 200) return { count, answer };
        expect(answer.headers.get('ratelimit-policy')).toMatch(/^"stream-opens";q=\d+;w=60$/);
      }
    };
    const bea = await userOf('bea');
    const { count, answer } = await openUntilRefused(bea);
    expect(count).toBe(OPENS.user);
    expect(answer).toMatchObject({
      status: 429,
      code: 'rate-limited',
      limit: 'stream-opens',
      max: OPENS.user,
    });
    const seconds = Number(answer.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(120);
    expect(answer.headers.get('ratelimit')).toBe(`"stream-opens";r=0;t=${seconds}`);
    await until('the other process knows', async () => (await openOnce(bea, other.url)).status === 429);
    // Others are not affected, until the address has opened too many.
    const elsewhere = { 'X-Forwarded-For': '198.51.100.12' };
    const anonymous = await openUntilRefused(elsewhere);
    expect([anonymous.count, anonymous.answer]).toMatchObject([OPENS.anonymous, { max: OPENS.anonymous }]);
    const refusals: unknown[] = [];
    for (let user = 0; !refusals.includes(OPENS.address); user++) {
      const { answer: refused } = await openUntilRefused({ ...elsewhere, ...(await userOf(`user-${user}`)) });
      refusals.push((refused as { max?: unknown }).max);
    }
    expect(refusals.length).toBeGreaterThan(1);
    expect((await openOnce({ 'X-Forwarded-For': '198.51.100.11' })).status).toBe(200);
    // What is open stays so, and other requests are answered.
    expect(
      (await fetch(`${headway.api.url}/v1/jobs`, { headers: { 'X-Forwarded-For': remote } })).status,
    ).toBe(200);
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
    const upload = async (body: RequestInit['body'], from = remote) => {
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
      `POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${remote}\r\nContent-Length: ${2 * MiB}\r\n\r\nx`,
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
      // Each stream that is opened meanwhile counts.
      if (there.status === 200) await sleep(200);
      return there.status === 429;
    });
    await headway.api.kill();
    await openWhenAllowed(STREAM, {}, other.url);
  });
});
