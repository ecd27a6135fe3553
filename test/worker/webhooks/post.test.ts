import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PermanentError } from '../../../src/shared/errors.js';
import { hostPatterns } from '../../../src/shared/host-patterns.js';
import { type PostOptions, post } from '../../../src/worker/webhooks/post.js';
import { CERTIFICATE, KEY } from '../../support/certificate.js';
import { type Receiver, silence, startReceiver } from '../../support/receiver.js';
import { until } from '../../support/until.js';

/** A resolver that returns these addresses for every name, as the owner of a name could. */
const resolvesTo = (...addresses: string[]): NonNullable<PostOptions['resolve']> =>
  ((_host: string, _options: unknown, callback: (error: null, found: unknown) => void) =>
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as never;

const call = (url: string, options: Partial<PostOptions> = {}, hosts = '*', allowPrivate = true) =>
  post({
    url,
    headers: { 'X-Test': 'yes' },
    body: '{"ü":1}',
    policy: { hosts: hostPatterns(hosts)!, allowPrivate },
    timeoutMs: 5000,
    signal: new AbortController().signal,
    ...options,
  });
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => expect.unreachable(),
    (error) => error,
  );

describe('the call of a webhook', () => {
  let receiver: Receiver;
  afterEach(() => receiver?.stop());

  it('sends headers and body unchanged, and returns the status', async () => {
    receiver = await startReceiver(201);
    expect(await call(receiver.url)).toBe(201);
    expect(receiver.calls).toMatchObject([
      { method: 'POST', path: '/hook', body: '{"ü":1}', headers: { 'x-test': 'yes', 'content-length': '8' } },
    ]);
  });

  it('connects to a checked address even if the name resolves differently later', async () => {
    receiver = await startReceiver();
    let asked = 0;
    const resolve = ((host: string, options: object, callback: (...args: unknown[]) => void) => {
      asked++;
      resolvesTo(asked === 1 ? '127.0.0.1' : '8.8.8.8')(host, options, callback as never);
    }) as never;
    expect(await call(`http://receiver.example:${receiver.port}/`, { resolve })).toBe(204);
    expect(asked).toBe(1);
    expect(receiver.calls[0]!.headers.host).toBe(`receiver.example:${receiver.port}`);
  });

  it.each([
    ['a private address', ['127.0.0.1']],
    ['a public and a private address', ['8.8.8.8', '10.0.0.1']],
    ['an IPv4-mapped private address', ['::ffff:127.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['the unspecified address', ['::']],
  ])('is not made when the name resolves to %s', async (_what, addresses) => {
    receiver = await startReceiver();
    const url = `https://receiver.example:${receiver.port}/`;
    const error = await failure(call(url, { resolve: resolvesTo(...addresses) }, 'receiver.example', false));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toMatch(/cannot be called/);
    expect(error.message).not.toContain(addresses[0]!);
    expect(receiver.calls).toEqual([]);
  });

  it('is not made over plain HTTP to a public address', async () => {
    const error = await failure(call('http://receiver.example/', { resolve: resolvesTo('8.8.8.8') }));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toMatch(/https/);
  });

  it.each([
    'http://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://[::ffff:7f00:1]/',
    'https://localhost/',
  ])('is not made to %s', async (url) => {
    expect(await failure(call(url, {}, '*', false))).toBeInstanceOf(PermanentError);
  });

  it('is not made to a host that is no longer allowed', async () => {
    receiver = await startReceiver();
    expect(await failure(call(receiver.url, {}, 'example.com'))).toBeInstanceOf(PermanentError);
    expect(receiver.calls).toEqual([]);
  });

  it('does not follow a redirect', async () => {
    const other = await startReceiver();
    receiver = await startReceiver((res) => res.writeHead(307, { Location: other.url }).end());
    expect(await call(receiver.url)).toBe(307);
    expect(other.calls).toEqual([]);
    await other.stop();
  });

  it('fails without a response in time', async () => {
    receiver = await startReceiver(silence);
    expect(await failure(call(receiver.url, { timeoutMs: 100 }))).toMatchObject({
      message: 'no response within 100 ms',
    });
  });

  it('fails when the response headers are not completed in time', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      const drip = setInterval(() => socket.write('X-Drip: drop\r\n'), 10);
      socket.write('HTTP/1.1 200 OK\r\n');
      socket.on('close', () => clearInterval(drip));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await failure(call(`http://127.0.0.1:${port}/`, { timeoutMs: 200 }))).toMatchObject({
      message: 'no response within 200 ms',
    });
    server.close();
    await once(server, 'close');
  });

  it('ends at once when its signal is aborted', async () => {
    receiver = await startReceiver(silence);
    const stop = new AbortController();
    const calling = failure(call(receiver.url, { signal: stop.signal }));
    await receiver.called(1);
    stop.abort(new Error('stopped'));
    expect(await calling).toMatchObject({ message: 'stopped' });
  });

  it('reads only the beginning of a response', async () => {
    let closed = false;
    receiver = await startReceiver((res) => {
      res.on('close', () => {
        closed = true;
      });
      const fill = (): void => {
        while (!res.destroyed && res.write(Buffer.alloc(16_384)));
      };
      res.writeHead(200).on('drain', fill);
      fill();
    });
    expect(await call(receiver.url)).toBe(200);
    await until('the connection was cut', () => closed);
  });

  it('reports network errors without an address', async () => {
    receiver = await startReceiver((res) => res.socket!.destroy());
    expect(await failure(call(receiver.url))).toMatchObject({
      message: 'could not reach the receiver: ECONNRESET',
    });
    const { port } = receiver;
    await receiver.stop();
    expect(await failure(call(`http://127.0.0.1:${port}/`))).toMatchObject({
      message: 'could not reach the receiver: ECONNREFUSED',
    });
  });

  it('rejects an untrusted certificate', async () => {
    const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (_req, res) => res.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const error = await failure(call(`https://localhost:${port}/`, { resolve: resolvesTo('127.0.0.1') }));
    expect(error.message).toMatch(/SELF_SIGNED_CERT/);
    server.close();
    await once(server, 'close');
  });
});
