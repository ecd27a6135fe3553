import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import express from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { answerClientErrors } from '../../../src/api/http/client-error.js';
import { forBothVersions } from '../../../src/api/http/over-http2.js';
import { exemptFromRequestTimeout } from '../../../src/api/http/request-timeout.js';
import { createTurns, inTurns } from '../../../src/api/http/turns.js';
import { boundUnreadBody } from '../../../src/api/http/unread-body.js';
import { createTlsServer, type TlsServer } from '../../../src/api/tls/server.js';
import type { SessionTimes } from '../../../src/api/tls/sessions.js';
import type { Logger } from '../../../src/shared/process/log.js';
import { CERTIFICATE, KEY } from '../../support/certificate.js';
import { type Certificate, createAuthority } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/folder.js';
import { connectH2, requestH2, responseOf } from '../../support/h2-viewer.js';
import { until } from '../../support/until.js';

interface Running extends TlsServer {
  url: string;
  port: number;
  connections(): Promise<number>;
  lines: string[];
}

const app = express();
app.use(boundUnreadBody);
app.post('/echo', express.json(), ({ body, host, secure, httpVersion, query }, res) => {
  res.json({ body, host, secure, httpVersion, query });
});
/** It is refused when a part of its body has been read. */
app.post('/refused', (req, res) => {
  req.once('data', () => {
    req.pause();
    res.status(413).json({ refused: true });
  });
});
app.use('/files', express.static(import.meta.dirname));
/** What became of the requests whose body is read. */
const read: string[] = [];
app.post('/read', (req, res) => {
  let length = 0;
  let ended = false;
  req.on('data', (chunk) => (length += chunk.length));
  req.on('end', () => {
    ended = true;
    res.end('read');
  });
  res.on('close', () => setImmediate(() => read.push(`${length}, end: ${ended}, complete: ${req.complete}`)));
});
/** An upload, which has a time limit of its own. */
app.post('/upload', (req, res) => {
  exemptFromRequestTimeout(req);
  req.resume().on('end', () => res.end('stored'));
});
app.get('/large', (_req, res) => void res.end(Buffer.alloc(1_000_000)));
let held = 0;
app.get('/held', (_req, res) => {
  held++;
  setTimeout(() => res.end('held'), 500);
});

async function start(files = written(CERTIFICATE, KEY), times?: SessionTimes): Promise<Running> {
  const lines: string[] = [];
  const note = (level: string) => (_fields: object, line: string) => void lines.push(`${level}: ${line}`);
  const log = Object.fromEntries(['debug', 'info', 'warn', 'error'].map((level) => [level, note(level)]));
  const turns = createTurns();
  const tls = createTlsServer(files, inTurns(turns, forBothVersions(app)), log as unknown as Logger, times);
  const { server } = tls;
  answerClientErrors(server, log as unknown as Logger, turns);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    ...tls,
    port,
    url: `https://localhost:${port}`,
    lines,
    connections: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
  };
}

function written(certificate: string, privateKey: string): Certificate {
  const folder = temporaryFolder();
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  writeFileSync(cert, certificate);
  writeFileSync(key, privateKey);
  return { cert, key };
}

async function open({ url }: Running): Promise<ClientHttp2Session> {
  const session = await connectH2(url);
  onTestFinished(() => session.destroy());
  return session;
}
const closed = (one: ClientHttp2Session | ClientHttp2Stream | TLSSocket): Promise<void> =>
  new Promise((resolve) => void one.once('close', resolve));
/** Opens a TLS connection that then sends nothing. */
function openSilent(port: number, protocol: string): TLSSocket {
  const socket = connectTls({ port, ALPNProtocols: [protocol], rejectUnauthorized: false }).resume();
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

it('passes requests of HTTP/2 and of HTTP/1.1 on one port to an Express application', async () => {
  const running = await start();
  const session = await open(running);
  const json = { 'content-type': 'application/json' };
  // The length of the body is not announced.
  const answer = await requestH2(session, 'POST', '/echo?a=1', '{"b":2}', json);
  const seen = { body: { b: 2 }, secure: true, query: { a: '1' } };
  expect([answer.status, JSON.parse(answer.text)]).toEqual([
    200,
    { ...seen, httpVersion: '2.0', host: `localhost:${running.port}` },
  ]);
  const file = await requestH2(session, 'GET', '/files/server.test.ts');
  expect([file.status, file.text.length]).toEqual([200, Number(file.headers['content-length'])]);
  expect((await requestH2(session, 'GET', '/nothing')).status).toBe(404);

  const socket = openSilent(running.port, 'http/1.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (data) => (text += data));
  socket.write(
    'POST /echo?a=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 7\r\nContent-Type: application/json\r\n\r\n{"b":2}',
  );
  await closed(socket);
  expect(JSON.parse(text.split('\r\n\r\n')[1]!)).toEqual({ ...seen, httpVersion: '1.1', host: 'h' });
});

it('a body that is cut off is not taken for a complete one, and a refused one is not read', async () => {
  const running = await start();
  const session = await open(running);
  expect((await requestH2(session, 'POST', '/read', 'complete')).text).toBe('read');
  const cut = await open(running);
  const stream = cut.request({ ':method': 'POST', ':path': '/read' });
  stream.on('error', () => {});
  await new Promise((resolve) => stream.write('cut', resolve));
  await until('it has arrived', () => running.sessions.count.streams === 1);
  cut.destroy();
  await until('it has ended', () => read.length === 2);
  expect(read).toEqual(['8, end: true, complete: true', '3, end: false, complete: false']);

  // The client has more to send.
  const refused = session.request({ ':method': 'POST', ':path': '/refused' });
  refused.write(Buffer.alloc(100_000));
  const ended = closed(refused);
  expect((await responseOf(refused)).status).toBe(413);
  await ended;
  expect(refused.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  await until('no stream is left', () => running.sessions.count.streams === 0);
});

it('ends connections that send nothing, and requests that are slow, too large or too many', async () => {
  const running = await start(undefined, { headersTimeout: 500, requestTimeout: 200, idleTimeout: 1500 });
  // It does not even read that its connection has ended.
  const deaf = openSilent(running.port, 'h2').pause();
  const silent = closed(openSilent(running.port, 'h2'));
  const idle = await open(running);
  expect((await requestH2(idle, 'GET', '/nothing')).status).toBe(404);
  expect(idle.remoteSettings.maxConcurrentStreams).toBe(250);
  const idleEnd = closed(idle);

  // Without TLS, and with an invalid request.
  for (const text of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01nonsense']) {
    const plain = connect(running.port, '127.0.0.1').resume();
    plain.on('error', () => {});
    plain.write(text);
    await new Promise((resolve) => void plain.once('close', resolve));
  }
  const invalid = openSilent(running.port, 'http/1.1');
  let answer = '';
  invalid.on('data', (data) => (answer += data)).write('nonsense\r\n\r\n');
  await closed(invalid);
  expect(answer).toMatch(/^HTTP\/1\.1 400 .*"code":"invalid-request"/s);

  const upload = (await open(running)).request({ ':method': 'POST', ':path': '/upload' });
  upload.write('a part');
  const slow = (await open(running)).request({ ':method': 'POST', ':path': '/read' });
  slow.on('error', () => {});
  slow.write('not all');
  await closed(slow);
  expect(slow.rstCode).toBe(constants.NGHTTP2_CANCEL);
  upload.end('the rest');
  expect((await responseOf(upload)).text).toBe('stored');
  const session = await open(running);
  expect((await requestH2(session, 'GET', '/nothing')).status).toBe(404);
  const large = session.request({ ':path': '/nothing', large: 'x'.repeat(20_000) });
  large.on('error', () => {});
  await closed(large);
  expect(large.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  expect((await requestH2(session, 'GET', '/nothing')).status).toBe(404);

  // The rapid reset attack (CVE-2023-44487).
  const attacker = await open(running);
  held = 0;
  const resets = 4000;
  for (let i = 0; !attacker.closed && !attacker.destroyed && i < resets; i++) {
    const stream = attacker.request({ ':path': '/held' });
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_CANCEL);
    if (i % 50 === 49) await new Promise(setImmediate);
  }
  await Promise.all([silent, idleEnd]);
  await until('all connections have ended', async () => (await running.connections()) === 0);
  expect(held).toBeLessThan(resets);
  deaf.destroy();
});

it('a response that its client does not read ends with the request', async () => {
  const running = await start();
  const session = await open(running);
  const unread = session.request({ ':path': '/large' });
  unread.on('error', () => {});
  await once(unread, 'response');
  expect(running.sessions.count.streams).toBe(1);
  unread.close(constants.NGHTTP2_NO_ERROR);
  await until('it has ended', () => running.sessions.count.streams === 0);
});

it('a client that is asked to go away finishes its requests, and sends the next ones elsewhere', async () => {
  const running = await start();
  const session = await open(running);
  const held = session.request({ ':path': '/held' });
  const answer = responseOf(held);
  await until('it has arrived', () => running.sessions.count.streams === 1);
  const away = once(session, 'goaway');
  running.sessions.goAway();
  await away;
  expect(() => session.request({ ':path': '/held' })).toThrow();
  expect((await answer).text).toBe('held');
  await closed(session);
  await until('it is closed here, too', () => running.sessions.count.sessions === 0);
  expect(running.sessions.count.streams).toBe(0);
});

it('a renewed certificate is used without a restart, and its mistakes are reported', async () => {
  const authority = createAuthority();
  const [first, second, expired] = [
    authority.certify('DNS:first'),
    authority.certify('DNS:second', 90),
    authority.certify('DNS:expired', 0),
  ];
  expect(() => createTlsServer({ cert: first.cert, key: '' }, () => {}, {} as Logger)).toThrow(
    'TLS_CERT: needs the private key',
  );
  expect(() => createTlsServer({ cert: '', key: first.key }, () => {}, {} as Logger)).toThrow(
    'TLS_KEY: needs the certificate',
  );
  expect(() => createTlsServer({ cert: first.cert, key: second.key }, () => {}, {} as Logger)).toThrow(
    `TLS_KEY: ${second.key} is not the private key of the certificate in ${first.cert}`,
  );

  const files = written('', '');
  const use = (part: 'cert' | 'key', from: Certificate): void => copyFileSync(from[part], files[part]);
  use('cert', first);
  use('key', first);
  const running = await start(files);
  const following = running.followCertificate(20);
  onTestFinished(() => following.stop());
  const name = async (): Promise<string | undefined> => {
    const socket = openSilent(running.port, 'h2');
    await once(socket, 'secureConnect');
    const { subjectaltname } = socket.getPeerCertificate();
    socket.destroy();
    return subjectaltname;
  };
  expect(await name()).toBe('DNS:first');
  // It is valid for two days.
  expect(running.lines).toEqual(['warn: TLS_CERT: the certificate expires within a week']);
  const session = await open(running);

  use('cert', second);
  await until('the mistake is reported', () => running.lines.length === 2);
  expect(running.lines[1]).toBe('error: cannot use the new certificate; using the old one');
  expect(await name()).toBe('DNS:first');
  use('key', second);
  await until('it is used', async () => (await name()) === 'DNS:second');
  expect(running.lines.slice(2)).toEqual(['info: using the new certificate']);
  // An open connection goes on.
  expect((await requestH2(session, 'GET', '/nothing')).status).toBe(404);

  use('cert', expired);
  use('key', expired);
  await until('it is used', async () => (await name()) === 'DNS:expired');
  expect(running.lines.at(-1)).toBe('warn: TLS_CERT: the certificate has expired; clients refuse it');
});
