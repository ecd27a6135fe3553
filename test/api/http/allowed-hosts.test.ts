import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Request, Response } from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowedHosts, refuseUnknownHosts } from '../../../src/api/http/allowed-hosts.js';
import { readConfig } from '../../../src/shared/process/config.js';
import type { Headway } from '../../support/headway.js';
import { borrowHeadway } from '../../support/shared-headway.js';

describe('the host of a request', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  /** Sends a request as it is. @returns the status and the code of the problem, if there is one */
  async function send(start: string, ...headers: string[]): Promise<[status: number, code?: string]> {
    const socket = connect(Number(new URL(headway.api.url).port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
      // A stream does not end.
      if (text.includes('text/event-stream')) socket.destroy();
    });
    socket.write([start, ...headers, 'Accept: */*', 'Connection: close', '', ''].join('\r\n'));
    await once(socket, 'close');
    const status = Number(text.split(' ')[1]);
    return status < 400 ? [status] : [status, /"code":"([\w-]+)"/.exec(text)?.[1] ?? ''];
  }

  it.each([
    'localhost',
    'localhost:99',
    'LocalHost.:3000',
    'app.localhost',
    '127.0.0.1:3000',
    '192.0.2.7',
    '[::1]:3000',
    '[2001:DB8::7]',
  ])('may be %s', async (host) => {
    expect(await send('GET /v1/jobs HTTP/1.1', `Host: ${host}`)).toEqual([200]);
    expect(await send('GET http://localhost/v1/jobs HTTP/1.1', `Host: ${host}`)).toEqual([200]);
  });

  it.each([
    ['evil.example', 421, 'unknown-host'],
    ['localhost.evil.example', 421, 'unknown-host'],
    ['127.0.0.1.evil.example', 421, 'unknown-host'],
    ['evil-localhost', 421, 'unknown-host'],
    ['2130706433', 421, 'unknown-host'],
    ['', 400, 'invalid-request'],
    ['localhost:http', 400, 'invalid-request'],
    ['localhost evil.example', 400, 'invalid-request'],
    ['localhost,evil.example', 400, 'invalid-request'],
    ['localhost@evil.example', 400, 'invalid-request'],
    ['localhost/evil.example', 400, 'invalid-request'],
    ['[127.0.0.1]', 400, 'invalid-request'],
    ['[::1', 400, 'invalid-request'],
    ['xn--é', 400, 'invalid-request'],
    [`${'a'.repeat(10_000)}.example`, 421, 'unknown-host'],
  ])('must not be %j', async (host, ...problem) => {
    expect(await send('GET /v1/jobs HTTP/1.1', `Host: ${host}`)).toEqual(problem);
  });

  it('must be given once, and be the same kind of host in a target in absolute form', async () => {
    const own = 'Host: localhost';
    expect(await send('GET /v1/jobs HTTP/1.0')).toEqual([400, 'invalid-request']);
    expect(await send('GET /v1/jobs HTTP/1.1', own, 'host: evil.example')).toEqual([400, 'invalid-request']);
    for (const target of ['http://evil.example/v1/jobs', 'https://evil.example', 'http://EVIL.example?x']) {
      expect(await send(`GET ${target} HTTP/1.1`, own)).toEqual([421, 'unknown-host']);
    }
    expect(await send('GET http://localhost@evil.example/ HTTP/1.1', own)).toEqual([400, 'invalid-request']);
    expect(await send('GET http:///v1/jobs HTTP/1.1', own)).toEqual([400, 'invalid-request']);
    // A proxy may say anything here. It is not read.
    expect(await send('GET /v1/jobs HTTP/1.1', own, 'X-Forwarded-Host: evil.example')).toEqual([200]);
    expect(await send('GET /v1/jobs HTTP/1.1', 'Host: evil.example', 'X-Forwarded-Host: localhost')).toEqual([
      421,
      'unknown-host',
    ]);
  });

  it('is checked on every path and for every method, except for the health checks', async () => {
    const evil = 'Host: evil.example';
    for (const path of ['/', '/docs', '/dashboard', '/admin/queues', '/client/index.js', '/openapi.json']) {
      expect([path, await send(`GET ${path} HTTP/1.1`, evil)]).toEqual([path, [421, 'unknown-host']]);
    }
    for (const start of [
      'GET /stream?channel=public.hosts',
      'OPTIONS /v1/jobs',
      'HEAD /v1/jobs',
      'POST /v1/jobs',
      'POST /v1/files?name=x',
      'GET /nothing',
    ]) {
      const [status] = await send(`${start} HTTP/1.1`, evil, 'Content-Length: 0');
      expect([start, status]).toEqual([start, 421]);
    }
    const preflight = ['Origin: https://app.example', 'Access-Control-Request-Method: POST'];
    expect(await send('OPTIONS /v1/jobs HTTP/1.1', evil, ...preflight)).toEqual([421, 'unknown-host']);
    expect(await send('GET /stream?channel=public.hosts HTTP/1.1', 'Host: localhost')).toEqual([200]);
    for (const path of ['/healthz', '/readyz']) expect(await send(`GET ${path} HTTP/1.0`)).toEqual([200]);
    expect(await send('GET /healthz HTTP/1.1', evil)).toEqual([200]);
  });
});

describe('the allowed hosts', () => {
  /** Whether a request for a host is accepted with these settings. */
  function accepts(host: string, env: Record<string, string>, embedded = false, name = 'host'): boolean {
    const check = refuseUnknownHosts(allowedHosts(readConfig(env), embedded));
    const req = {
      headers: { [name]: host },
      rawHeaders: [name, host],
      url: '/',
    } as unknown as IncomingMessage;
    let passed = false;
    try {
      check(req as Request, {} as Response, () => {
        passed = true;
      });
    } catch (error) {
      expect(error).toMatchObject({ code: 'unknown-host', detail: expect.stringContaining('ALLOWED_HOSTS') });
    }
    return passed;
  }

  it('are those of the settings and those of the machine itself', () => {
    const env = {
      ALLOWED_HOSTS: ' api.example , *.Sub.example,münchen.example',
      PUBLIC_URL: 'https://Public.example:8443/headway',
      HOST: 'Headway.internal',
    };
    const accepted = [
      'api.example',
      'API.example.:443',
      'a.sub.example',
      'a.b.sub.example',
      'xn--mnchen-3ya.example',
      'public.example',
      'headway.internal:3000',
      'localhost',
    ];
    expect(accepted.filter((host) => !accepts(host, env))).toEqual([]);
    const refused = [
      'sub.example',
      'xsub.example',
      'an.api.example',
      'api.example.evil',
      'example',
      'internal',
    ];
    expect(refused.filter((host) => accepts(host, env))).toEqual([]);
    // In a container.
    expect(accepts('api', { HOST: '0.0.0.0' })).toBe(false);
    expect(accepts('api', { HOST: '::' })).toBe(false);
    expect(accepts('any.example', { ALLOWED_HOSTS: 'a.example,*' })).toBe(true);
  });

  it('are all hosts for an embedded API, unless the application names some', () => {
    expect(accepts('any.example', {}, true)).toBe(true);
    expect(accepts('any.example', { PUBLIC_URL: 'https://own.example' }, true)).toBe(true);
    expect(accepts('any.example', { ALLOWED_HOSTS: 'own.example' }, true)).toBe(false);
    expect(accepts('own.example', { ALLOWED_HOSTS: 'own.example' }, true)).toBe(true);
  });

  it('also apply to the authority of a request over HTTP/2', () => {
    expect(accepts('localhost:3000', {}, false, ':authority')).toBe(true);
    expect(accepts('evil.example', {}, false, ':authority')).toBe(false);
  });

  it.each(['https://example.com', 'example.com:80', 'example.com/x', 'a.*.example', '**', 'a b'])(
    'must not be %s in the settings',
    (ALLOWED_HOSTS) => {
      expect(() => readConfig({ ALLOWED_HOSTS })).toThrow(/^ALLOWED_HOSTS: must be .*\*\.example\.com/);
    },
  );
});
