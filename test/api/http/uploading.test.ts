import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHeadway, type Headway as Embedded } from '../../../src/api/headway.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { temporaryFolder } from '../../support/processes.js';
import { startRedis, type TestRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';

const STALL_MS = 1500;
/** Node's request timeout, as set in the tests. */
const REQUEST_MS = 1000;

/** Sends a request piece by piece. */
async function send(
  url: string,
  head: string,
): Promise<{ socket: Socket; answer: () => string; done: Promise<unknown> }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk));
  await once(socket, 'connect');
  socket.write(head);
  return { socket, answer: () => answer, done: once(socket, 'close') };
}

const RAW = (bytes: number): string =>
  `POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`;
const FORM_START = '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n';
const FORM_END = '\r\n--b--\r\n';
const FORM = (bytes: number): string =>
  `POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${FORM_START.length + bytes + FORM_END.length}\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n${FORM_START}`;

/** Tests uploads to any HTTP server: our own, or that of an application. */
function testUploads(urlOf: () => string, folderOf: () => string): void {
  const leftovers = (): string[] => {
    const tmp = join(folderOf(), 'tmp');
    return existsSync(tmp) ? readdirSync(tmp) : [];
  };

  const both = [
    [RAW, ''],
    [FORM, FORM_END],
  ] as const;

  /** Sends the begin of a raw upload and of a form at the same time: these tests mostly wait. */
  const sendBoth = (bytes: number) => Promise.all(both.map(([head]) => send(urlOf(), head(bytes))));

  it("may take longer than Node's request timeout (raw and as a form), and keeps the connection usable", async () => {
    await Promise.all(
      both.map(async ([head, tail]) => {
        const { socket, answer } = await send(urlOf(), head(20 * 1024));
        const begun = Date.now();
        for (let sent = 0; sent < 20; sent++) {
          await new Promise((resolve) => setTimeout(resolve, REQUEST_MS / 5));
          socket.write('x'.repeat(1024));
        }
        socket.write(tail);
        await until('it is answered', () => answer().includes('"sha256"'));
        expect(Date.now() - begun).toBeGreaterThan(3 * REQUEST_MS);
        expect(answer()).toMatch(/^HTTP\/1\.1 201 /);
        // Node's limit applies again to the next request on the connection.
        socket.write(
          'POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{',
        );
        await until('it is ended', () => socket.destroyed);
        expect(answer().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 201', 'HTTP/1.1 408']);
      }),
    );
  });

  it('is ended when it makes no progress (raw and as a form)', async () => {
    const uploads = await sendBoth(1000);
    for (const { socket } of uploads) socket.write('half');
    await until('both have begun', () => leftovers().length === uploads.length);
    for (const { answer } of uploads) {
      await until('it is answered', () => answer().includes('}'));
      expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer()).toContain('"code":"upload-stalled"');
    }
    await until('nothing is left', () => leftovers().length === 0);
    await Promise.all(uploads.map(({ done }) => done));
  });

  it('is ended when it sends less than 1 KiB per second (raw and as a form)', async () => {
    const uploads = await sendBoth(1000);
    const drip = setInterval(() => {
      for (const { socket } of uploads) socket.write('x');
    }, 100);
    await until('both are answered', () => uploads.every(({ answer }) => answer().includes('}')));
    clearInterval(drip);
    for (const { answer } of uploads) {
      expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
      expect(answer()).toContain('less than 1 KiB per second');
    }
    await until('nothing is left', () => leftovers().length === 0);
    await Promise.all(uploads.map(({ done }) => done));
  });

  it('does not start with incomplete headers', async () => {
    const { answer, done } = await send(
      urlOf(),
      'POST /v1/files?name=x HTTP/1.1\r\nHost: localhost\r\nX-Slow: ',
    );
    await done;
    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
  });
}

describe('an upload to an API process', () => {
  let headway: Headway;
  beforeAll(async () => {
    const preload = join(process.cwd(), 'test/support/impatient-server.mjs');
    const env = {
      NODE_OPTIONS: `--import=${preload}`,
      STALL_TIMEOUT_MS: String(STALL_MS),
      SHUTDOWN_GRACE_MS: '500',
      FILES_DIR: temporaryFolder(),
    };
    headway = await startHeadway({ workers: 0, env });
  });
  afterAll(() => headway.stop());
  testUploads(
    () => headway.api.url,
    () => headway.env.FILES_DIR!,
  );

  // This test is the last one, because it ends the process.
  it('does not keep a process from stopping', async () => {
    const { socket, done } = await send(headway.api.url, RAW(1000));
    const drip = setInterval(() => socket.write('x'), 100);
    await until('it has begun', () => readdirSync(join(headway.env.FILES_DIR!, 'tmp')).length > 0);
    await headway.api.stop();
    await done;
    clearInterval(drip);
    expect(readdirSync(join(headway.env.FILES_DIR!, 'tmp'))).toEqual([]);
  });
});

describe("an upload to an application's server", () => {
  let redis: TestRedis;
  let embedded: Embedded;
  let server: Server;
  const folder = temporaryFolder();
  beforeAll(async () => {
    redis = await startRedis();
    const settings = { FILES_DIR: folder, STALL_TIMEOUT_MS: STALL_MS, LOG_LEVEL: 'silent' };
    embedded = await createHeadway({ redis: redis.url, jobs: [], settings });
    const limits = {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 50,
    };
    server = createServer(limits, express().use(embedded.router)).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    await embedded.close();
    server.closeAllConnections();
    server.close();
    await redis.stop();
  });
  testUploads(
    () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    () => folder,
  );
});
