import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, constants, createSecureServer } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, it, onTestFinished } from 'vitest';
import { type Outcome, onAnswered, onEnded, onReleased } from '../../../src/api/exchange/exchange.js';
import { Serving } from '../../../src/api/http/serving.js';
import {
  endStream,
  noteEnd,
  noteEvents,
  openStream,
  type StreamSink,
} from '../../../src/api/stream/handshake.js';
import { CERTIFICATE, KEY } from '../../support/certificate.js';
import { until } from '../../support/until.js';

const TLS = { key: KEY, cert: CERTIFICATE };

/** What happened to the request of each path, in order. */
let moments: Map<string, string[]>;
let sinks: StreamSink[];
let serving: Serving;
let open: Array<() => void> = [];
afterEach(() => {
  for (const close of open) close();
  open = [];
});

/** Answers `/stream` with a stream, `/held` never, `/failed` with 503 and others at once. */
function answer(req: IncomingMessage, res: ServerResponse): void {
  const seen: string[] = [];
  moments.set(req.url!, seen);
  const note = (moment: string) => (outcome: Outcome) => void seen.push(`${moment}: ${described(outcome)}`);
  onAnswered(res, note('answered'));
  onReleased(res, note('released'));
  onEnded(res, note('ended'));
  serving.handler(req as never, res as never, () => {
    if (req.url === '/stream') {
      // As in the service, where a stream is never opened in the turn in which its request arrives.
      setImmediate(async () => {
        const sink = await openStream(req, res, ': \n\n', { onDrain() {}, onClose() {} });
        if (sink) sinks.push(sink);
      });
    } else if (req.url !== '/held') {
      res.statusCode = req.url === '/failed' ? 503 : 200;
      res.end('ok');
    }
  });
}
const described = ({ status, how, reason, events }: Outcome): string =>
  [String(status), how, reason, events].filter((part) => part !== undefined).join(' ');

async function listen(server: Server): Promise<number> {
  moments = new Map();
  sinks = [];
  serving = new Serving();
  server.on('request', answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
/** Whether a process that is asked to stop waits for no request. */
async function isIdle(patienceMs = 20_000): Promise<boolean> {
  const patience = AbortSignal.timeout(patienceMs);
  await serving.idle(patience);
  return !patience.aborted;
}
const happened = (path: string, count = 3): Promise<string[]> =>
  until(`${path}: ${count} moments`, () => {
    const seen = moments.get(path) ?? [];
    return seen.length >= count ? seen : undefined;
  });
const all = (outcome: string): string[] =>
  ['answered', 'released', 'ended'].map((moment) => `${moment}: ${outcome}`);
/** Sends requests in one packet. */
async function pipeline(port: number, ...paths: string[]) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
  return socket;
}

it('a request is answered, released and ended at once, unless the client leaves before', async () => {
  const port = await listen(createServer());
  const socket = await pipeline(port, '/fast', '/failed', '/held');
  expect(await happened('/fast')).toEqual(all('200 request completed'));
  expect(await happened('/failed')).toEqual(all('503 request errored'));
  await until('the last one has arrived', () => moments.has('/held'));
  expect(await isIdle(150)).toBe(false);
  socket.destroy();
  expect(await happened('/held')).toEqual(all('undefined request aborted'));
  expect(await isIdle()).toBe(true);
});

it('a request that waits for another one on its connection ends with the connection', async () => {
  const port = await listen(createServer());
  const socket = await pipeline(port, '/held', '/fast', '/stream');
  await until('all have arrived', () => moments.size === 3);
  socket.destroy();
  for (const path of moments.keys()) {
    expect(await happened(path)).toEqual(all('undefined request aborted'));
  }
  expect(await isIdle()).toBe(true);
});

it('a stream is released when it is open, with the requests behind it, and ends when its viewer leaves', async () => {
  const port = await listen(createServer());
  const socket = await pipeline(port, '/fast', '/stream', '/held', '/later');
  for (const path of ['/held', '/later']) {
    expect(await happened(path)).toEqual(all('undefined request aborted'));
  }
  expect(await happened('/stream', 2)).toEqual([
    'answered: 200 stream opened',
    'released: 200 stream opened',
  ]);
  expect(moments.get('/fast')).toEqual(all('200 request completed'));
  expect(await isIdle()).toBe(true);
  noteEvents(sinks[0]!, 2);
  noteEvents(sinks[0]!, 1);
  socket.destroy();
  expect((await happened('/stream')).at(-1)).toBe('ended: 200 stream ended disconnected 3');
});

it('a stream that the service ends has its reason', async () => {
  const port = await listen(createServer());
  const viewer = get({ port, path: '/stream' });
  const [response] = (await once(viewer, 'response')) as [IncomingMessage];
  const [sink] = (await until('it is open', () => sinks)) as [StreamSink];
  noteEnd(sink, 'revoked');
  noteEnd(sink, 'stopping');
  endStream(sink);
  response.resume();
  expect((await happened('/stream')).at(-1)).toBe('ended: 200 stream ended revoked 0');
});

it('a listener that comes late is called at once', async () => {
  const server = createServer();
  await listen(server);
  const late: string[] = [];
  server.on('request', (_req: IncomingMessage, res: ServerResponse) => {
    onEnded(res, () => onEnded(res, (outcome) => late.push(described(outcome))));
  });
  await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/fast`)).text();
  await until('it was called', () => late.length > 0);
  expect(late).toEqual(['200 request completed']);
});

it.each(['TLS', 'HTTP/2'])('a stream over %s ends when its viewer leaves', async (protocol) => {
  // Over HTTP/2, the request and the response are released when the stream is open.
  const isHttp2 = protocol === 'HTTP/2';
  const server = isHttp2 ? createSecureServer(TLS) : createTlsServer(TLS);
  const port = await listen(server as unknown as Server);
  const connection = isHttp2
    ? connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    : connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  connection.on('error', () => {});
  onTestFinished(() => void connection.destroy());
  if ('request' in connection) connection.request({ ':path': '/stream' }).resume();
  else connection.write('GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /held HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await happened('/stream', 1))[0]).toBe('answered: 200 stream opened');
  await until('it is open', () => sinks.length === 1);
  expect(await isIdle(isHttp2 ? undefined : 150)).toBe(isHttp2);
  noteEvents(sinks[0]!, 5);
  connection.destroy();
  const seen = await happened('/stream');
  expect(seen[1]).toMatch(/^released: 200 /);
  expect(seen[2]).toBe('ended: 200 stream ended disconnected 5');
  if (!isHttp2) expect(await happened('/held')).toEqual(all('undefined request aborted'));
  expect(await isIdle()).toBe(true);
});

it('a stream over HTTP/2 ends when its viewer resets it without an error, and has not read it', async () => {
  const port = await listen(createSecureServer(TLS) as unknown as Server);
  const connection = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  onTestFinished(() => void connection.destroy());
  const viewer = connection.request({ ':path': '/stream' });
  await once(viewer, 'response');
  await until('it is full', () => sinks[0]!.write(Buffer.alloc(10_000)) === false);
  viewer.close(constants.NGHTTP2_NO_ERROR);
  expect((await happened('/stream')).at(-1)).toBe('ended: 200 stream ended disconnected 0');
});
