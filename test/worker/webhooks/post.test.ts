import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PermanentError } from '../../../src/shared/errors.js';
import { hostPatterns } from '../../../src/shared/webhooks/target.js';
import { type PostOptions, post } from '../../../src/worker/webhooks/post.js';
import { type Receiver, silence, startReceiver } from '../../support/receiver.js';
import { until } from '../../support/until.js';

/** A resolver that knows one answer to everything: what whoever owns a name can make it say. */
const says = (...addresses: string[]): NonNullable<PostOptions['resolve']> =>
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

  it('sends headers and bytes as they are, and gives the status', async () => {
    receiver = await startReceiver(201);
    expect(await call(receiver.url)).toBe(201);
    expect(receiver.calls).toMatchObject([
      { method: 'POST', path: '/hook', body: '{"ü":1}', headers: { 'x-test': 'yes', 'content-length': '8' } },
    ]);
  });

  it('connects to an address that was checked, whatever the name says afterwards', async () => {
    receiver = await startReceiver();
    let asked = 0;
    const resolve = ((host: string, options: object, callback: (...args: unknown[]) => void) => {
      asked++;
      says(asked === 1 ? '127.0.0.1' : '8.8.8.8')(host, options, callback as never);
    }) as never;
    expect(await call(`http://receiver.example:${receiver.port}/`, { resolve })).toBe(204);
    expect(asked).toBe(1);
    expect(receiver.calls[0]!.headers.host).toBe(`receiver.example:${receiver.port}`);
  });

  it.each([
    ['a private address', ['127.0.0.1']],
    ['a public and a private one', ['8.8.8.8', '10.0.0.1']],
    ['a private one in IPv6 clothes', ['::ffff:127.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['unspecified', ['::']],
  ])('is not made when the name leads to %s', async (_what, addresses) => {
    receiver = await startReceiver();
    const url = `https://receiver.example:${receiver.port}/`;
    const error = await failure(call(url, { resolve: says(...addresses) }, 'receiver.example', false));
    expect(error).toBeInstanceOf(PermanentError);
    expect(error.message).toMatch(/cannot be called/);
    expect(error.message).not.toContain(addresses[0]!);
    expect(receiver.calls).toEqual([]);
  });

  it('is not made in the clear to a public address', async () => {
    const error = await failure(call('http://receiver.example/', { resolve: says('8.8.8.8') }));
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

  it('is not made to a host that is allowed no more', async () => {
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

  it('ends when there is no answer in time', async () => {
    receiver = await startReceiver(silence);
    expect(await failure(call(receiver.url, { timeoutMs: 100 }))).toMatchObject({
      message: 'there was no answer within 100 ms',
    });
  });

  it('ends when the head of the answer never comes to its end', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      const drip = setInterval(() => socket.write('X-Drip: drop\r\n'), 10);
      socket.write('HTTP/1.1 200 OK\r\n');
      socket.on('close', () => clearInterval(drip));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await failure(call(`http://127.0.0.1:${port}/`, { timeoutMs: 200 }))).toMatchObject({
      message: 'there was no answer within 200 ms',
    });
    server.close();
    await once(server, 'close');
  });

  it('ends at once when it is told to', async () => {
    receiver = await startReceiver(silence);
    const stop = new AbortController();
    const calling = failure(call(receiver.url, { signal: stop.signal }));
    await receiver.called(1);
    stop.abort(new Error('told to'));
    expect(await calling).toMatchObject({ message: 'told to' });
  });

  it('reads no more of an answer than a little: a status is enough', async () => {
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

  it('says what kept it from an answer, without an address', async () => {
    receiver = await startReceiver((res) => res.socket!.destroy());
    expect(await failure(call(receiver.url))).toMatchObject({
      message: 'the receiver could not be reached: ECONNRESET',
    });
    const { port } = receiver;
    await receiver.stop();
    expect(await failure(call(`http://127.0.0.1:${port}/`))).toMatchObject({
      message: 'the receiver could not be reached: ECONNREFUSED',
    });
  });

  it('takes no certificate that nobody vouches for', async () => {
    const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (_req, res) => res.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const error = await failure(call(`https://localhost:${port}/`, { resolve: says('127.0.0.1') }));
    expect(error.message).toMatch(/SELF_SIGNED_CERT/);
    server.close();
    await once(server, 'close');
  });
});

/** A key and a certificate for localhost, signed by itself, for a hundred years. For nothing but this test. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcjQC3ci3+EBp0P9g
iu6Okgo46FSVF3jetqt5Kdui+AqhRANCAAT+kgLCD+MKSEm+aVTXjr9GTxnS2XjP
/sFWJrVxlIKPrsq2GygWL/NH2dJAndZOpDv5oO12/SH4ruKpEV/BDarX
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUGX8JQj4bZV5aK+v2uAarA39xZHUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDEzMDIxNloYDzIxMjYxMDMx
MTMwMjE2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAT+kgLCD+MKSEm+aVTXjr9GTxnS2XjP/sFWJrVxlIKPrsq2GygWL/NH
2dJAndZOpDv5oO12/SH4ruKpEV/BDarXo2kwZzAdBgNVHQ4EFgQUS3gOnneLANuZ
QDbrrPf2v2HOdDMwHwYDVR0jBBgwFoAUS3gOnneLANuZQDbrrPf2v2HOdDMwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgMQiUoOwXjygnV9DMMImiZ0GL/JlGRzOHnbGkwzivCMkCIHX/lzn6zwnd
x+9YFg23z01RBTG2QMjSKJ4IcJdlGAra
-----END CERTIFICATE-----`;
