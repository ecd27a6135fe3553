import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basePath, takeBasePath } from '../../../src/api/http/base-path.js';
import { CliUser } from '../../support/cli.js';
import { clientOf, type StartedJob } from '../../support/client.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { type PathProxy, startPathProxy } from '../../support/path-proxy.js';
import { openStream } from '../../support/sse.js';
import { until } from '../../support/until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
const BASE = '/headway';
const STEPS = { count: 1, intervalMs: 1 };

/** Returns all texts in a value that look like a path of the service. */
function pathsIn(value: unknown): string[] {
  if (typeof value === 'string') return /^\/(?!\/)\S*\/v1\/|^\/v1\//.test(value) ? [value] : [];
  return value !== null && typeof value === 'object' ? Object.values(value).flatMap(pathsIn) : [];
}

/** Returns the addresses that a page loads or links to. */
const addressesIn = (html: string): string[] =>
  [...html.matchAll(/\s(?:href|src)="([^"#]*)"/g)].map(([, address]) => address!);

describe('a service below a path of its host', () => {
  let headway: Headway;
  let strip: PathProxy;
  let keep: PathProxy;
  beforeAll(async () => {
    headway = await startHeadway({ env: { PUBLIC_URL: 'https://example.org/headway/', ADMIN_TOKEN } });
    const { url } = headway.api;
    [strip, keep] = await Promise.all([
      startPathProxy(url, BASE, 'strip'),
      startPathProxy(url, BASE, 'keep'),
    ]);
  });
  afterAll(async () => {
    for (const proxy of [strip, keep]) {
      proxy.stop();
      expect(proxy.outside).toEqual([]);
    }
    await headway.stop();
  });

  describe.each([
    ['removes the path', () => strip],
    ['leaves the path', () => keep],
  ])('and %s', (_kind, proxy) => {
    const at = (path: string): string => `${proxy().url}${path}`;
    const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(at(path), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(body),
        redirect: 'manual',
      });

    it('returns links that work: of a job, its files, the list, a batch', async () => {
      const client = clientOf(`${proxy().url}${BASE}`);
      const file = await client.upload('people.csv', 'name,age\nAda,36\nAlan,41\nGrace\n');
      const started = await post(`${BASE}/v1/jobs`, { name: 'csv-import', data: { file: file.id } });
      const job = (await started.json()) as StartedJob;
      const cookies = started.headers.getSetCookie();
      expect(started.headers.get('location')).toBe(`${BASE}/v1/jobs/${job.id}`);
      expect(pathsIn(job)).toEqual(
        ['', '/events', '/cancel', '/result'].map((end) => `${BASE}/v1/jobs/${job.id}${end}`),
      );
      expect(cookies).toEqual([
        expect.stringMatching(/^headway_visitor=[^;]+; Max-Age=\d+; Path=\/headway;/),
      ]);
      const Cookie = cookies[0]!.split(';')[0]!;
      const stream = await openStream(at(job.links.events), { headers: { Cookie } });
      await stream.ended;
      expect(stream.events.at(-1)?.event).toBe('completed');
      const page = await (await fetch(at(`${BASE}/v1/jobs?owner=me`), { headers: { Cookie } })).json();
      const batch = await (
        await post(`${BASE}/v1/jobs:batch`, { jobs: [{ name: 'steps', data: STEPS }] })
      ).json();
      const view = await (await fetch(at(job.links.self), { headers: { Cookie } })).json();
      // Two files in the result, and four links in each response.
      for (const [body, count] of [
        [stream.events.at(-1)!.data, 2],
        [view, 6],
        [page, 6],
        [batch, 4],
      ] as const) {
        const paths = pathsIn(body);
        expect(paths).toHaveLength(count);
        for (const path of paths) expect(path).toMatch(/^\/headway\/v1\/jobs\//);
      }
      const { href } = stream.events.at(-1)!.data.result.report;
      expect(await (await fetch(at(href), { headers: { Cookie } })).text()).toContain('Grace');
    });

    it('returns links to schedules, their runs and API keys', async () => {
      const made = await post(`${BASE}/v1/schedules`, { name: 'steps', data: STEPS, everyMs: 3_600_000 });
      const Cookie = made.headers.getSetCookie()[0]!.split(';')[0]!;
      const self = made.headers.get('location')!;
      const schedule = (await made.json()) as { links: Record<string, string> };
      expect(self).toMatch(/^\/headway\/v1\/schedules\//);
      expect(Object.values(schedule.links)).toEqual(
        ['', '/pause', '/resume', '/run'].map((end) => `${self}${end}`),
      );
      const run = await post(schedule.links.run!, {}, { Cookie, 'Sec-Fetch-Site': 'same-origin' });
      expect(run.headers.get('location')).toMatch(/^\/headway\/v1\/jobs\//);
      expect(run.status).toBe(202);
      const list = await (await fetch(at(`${BASE}/v1/schedules`), { headers: { Cookie } })).json();
      const paths = pathsIn(list);
      expect(paths.length).toBeGreaterThanOrEqual(8);
      for (const path of paths) expect(path).toMatch(/^\/headway\/v1\/(schedules|jobs)\//);
      const removed = await fetch(at(self), {
        method: 'DELETE',
        headers: { Cookie, 'Sec-Fetch-Site': 'none' },
      });
      expect(removed.status).toBe(204);
      const key = await post(
        `${BASE}/v1/keys`,
        { name: 'shop', sub: 'shop' },
        { Authorization: `Bearer ${ADMIN_TOKEN}` },
      );
      expect(key.headers.get('location')).toMatch(/^\/headway\/v1\/keys\//);
    });

    it('signs an admin in with a cookie for its path only, and out again', async () => {
      const tls = { 'X-Forwarded-Proto': 'https' };
      const Authorization = `Basic ${btoa(`admin:${ADMIN_TOKEN}`)}`;
      const signedIn = await fetch(at(`${BASE}/dashboard/sign-in`), {
        headers: { Authorization, ...tls },
        redirect: 'manual',
      });
      expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, `${BASE}/dashboard`]);
      const [cookie] = signedIn.headers.getSetCookie();
      expect(cookie).toMatch(/^__Secure-headway_token=[^;]+;.* Path=\/headway;.* Secure;/);
      const Cookie = cookie!.split(';')[0]!;
      const keys = await fetch(at(`${BASE}/v1/keys`), { headers: { Cookie, ...tls } });
      expect(keys.status).toBe(200);
      const signedOut = await post(
        `${BASE}/dashboard/sign-out`,
        {},
        { Cookie, 'Sec-Fetch-Site': 'same-origin' },
      );
      expect(signedOut.headers.getSetCookie()).toEqual([
        expect.stringMatching(/^headway_token=; Path=\/headway; Expires=/),
      ]);
      const overTls = await post(`${BASE}/dashboard/sign-out`, {}, tls);
      expect(overTls.headers.getSetCookie().map((each) => each.split(';', 2).join())).toEqual([
        'headway_token=, Path=/headway',
        '__Secure-headway_token=, Path=/headway',
      ]);
    });

    it('accepts requests from a page of its public URL, whatever host the proxy sends', async () => {
      const from = (Origin: string): Promise<Response> =>
        post(`${BASE}/v1/jobs`, { name: 'steps', data: STEPS }, { Origin, Cookie: 'a=b' });
      expect((await from('https://example.org')).status).toBe(202);
      expect((await from('https://example.com')).status).toBe(403);
    });

    it('has its base path in the reference', async () => {
      const openApi = (await (await fetch(at(`${BASE}/openapi.json`))).json()) as Record<string, unknown>;
      expect(openApi.servers).toEqual([{ url: BASE }]);
      expect(JSON.stringify(openApi)).toContain(`"self":"${BASE}/v1/jobs/`);
      expect(JSON.stringify(openApi)).not.toMatch(/"self":"\/v1|\]\(\/asyncapi/);
      const asyncApi = (await (await fetch(at(`${BASE}/asyncapi.json`))).json()) as {
        channels: Record<string, { address: string }>;
      };
      expect(Object.values(asyncApi.channels).map(({ address }) => address)).toEqual([
        `${BASE}/v1/jobs/{id}/events`,
        `${BASE}/v1/events`,
        `${BASE}/stream`,
      ]);
    });

    it.each([
      '/',
      '/index.html',
      '/dashboard',
      '/dashboard.html',
      '/dashboard/jobs/steps.a',
      '/docs',
      '/docs/',
    ])('serves everything that the page %s loads and links to', async (path) => {
      const page = await fetch(at(`${BASE}${path}`));
      expect(page.status).toBe(200);
      const html = await page.text();
      expect(html).toContain(`name="headway-root" content="${BASE}/"`);
      const addresses = addressesIn(html);
      expect(addresses.length).toBeGreaterThan(3);
      for (const address of new Set(addresses)) {
        expect(address).toMatch(/^\/headway\//);
        expect([address, (await fetch(at(address))).status]).toEqual([address, 200]);
      }
    });

    it('has a board with links under its path', async () => {
      const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
      const html = await (await fetch(at(`${BASE}/admin/queues`), { headers })).text();
      expect(html).toContain(`<base href="${BASE}/admin/queues/" />`);
      const script = /src="(static\/[^"]+)"/.exec(html)![1];
      expect((await fetch(at(`${BASE}/admin/queues/${script}`), { headers })).status).toBe(200);
    });

    it('serves a client that connects to it by default', async () => {
      const module = await fetch(at(`${BASE}/client/default-url.js`));
      expect(module.headers.get('content-type')).toContain('javascript');
      expect(await module.text()).toBe(`export const DEFAULT_URL = "${BASE}/";\n`);
      expect((await fetch(at(`${BASE}/client/http.js`))).status).toBe(200);
      // A folder is not redirected, because the redirect would lack the base path.
      const folder = await fetch(at(`${BASE}/client/element`), { redirect: 'manual' });
      expect(folder.status).toBe(404);
      expect(await folder.json()).toMatchObject({ instance: `${BASE}/client/element` });
    });
  });

  it('serves the command line, as the same visitor each time', async () => {
    const user = new CliUser(`${strip.url}${BASE}/`);
    const run = await user.run(['run', 'steps', '--json', '--data', JSON.stringify(STEPS)]);
    expect([run.code, run.stderr]).toEqual([0, '']);
    const list = await user.run(['ls', '--json']);
    expect(JSON.parse(list.stdout)).toMatchObject({ name: 'steps', state: 'completed' });
  });

  it('answers pipelined requests, absolute targets, and requests without the base path', async () => {
    const { host, port } = new URL(headway.api.url);
    const targets = [
      '/headway/healthz',
      `http://${host}/headway/healthz`,
      '/healthz',
      '/headway/headway/healthz',
      '/headway/v1/definitions?a',
    ];
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => (text += data));
    const job = await headway.client.start('steps', STEPS);
    for (const target of [...targets, `${job.links.events}?token=${job.token}`]) {
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\n\r\n`);
    }
    await until('the stream has ended', () => text.includes('event: completed'));
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(targets.length + 1);
    socket.destroy();
  });

  it.each(['/headwayx/healthz', '/Headway/healthz', '//headway/healthz'])(
    'has nothing at %s',
    async (path) => {
      expect((await fetch(`${headway.api.url}${path}`)).status).toBe(404);
    },
  );
});

describe('the base path of a request', () => {
  it.each([
    // [PUBLIC_URL's path, where the router is mounted, request, base path, path that the routes get]
    ['', '/', '/v1/jobs?a', '', '/v1/jobs?a'],
    ['/a', '/', '/v1/jobs?a', '/a', '/v1/jobs?a'],
    ['/a', '/', '/a/v1/jobs?a=/a/', '/a', '/v1/jobs?a=/a/'],
    ['/a', '/', '/a', '/a', '/'],
    ['/a', '/', '/a?b', '/a', '/?b'],
    ['/a', '/', '/a/', '/a', '/'],
    ['/a', '/', '/ab/v1', '/a', '/ab/v1'],
    ['/a', '/', '/a/a/v1', '/a', '/v1'],
    ['/a', '/', '/a/a', '/a', '/'],
    ['/a/b', '/', '/a/b/v1', '/a/b', '/v1'],
    ['/a/b', '/', '/a/v1', '/a/b', '/a/v1'],
    ['', '/m', '/m/v1', '/m', '/v1'],
    ['', '/m/n', '/m/n/', '/m/n', '/'],
    // PUBLIC_URL is the URL of the application.
    ['/a', '/m', '/m/v1', '/a/m', '/v1'],
    ['/a', '/a/m', '/a/m/v1', '/a/m', '/v1'],
    // PUBLIC_URL is the URL of the router.
    ['/m', '/m', '/m/v1', '/m', '/v1'],
    ['/a/m', '/m', '/m/v1', '/a/m', '/v1'],
  ])('with PUBLIC_URL %j, mounted at %j, for %s is %j', async (publicPath, mount, path, base, seen) => {
    const app = express();
    app.use(mount, takeBasePath(publicPath), (req, res) => void res.json([basePath(req), req.url]));
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    expect(await answer.json()).toEqual([base, seen]);
    server.close();
  });
});
