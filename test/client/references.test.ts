import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/index.js';
import { createJobStore, defaultClient } from '../../src/client/store.js';
import { createSse } from '../../src/client/vue/sse.js';
import { until } from '../support/until.js';

/** A service that ends every stream at once (204), except those of `/v1/jobs`, which it refuses. */
async function startService() {
  const requests: Array<{ url: string; headers: IncomingHttpHeaders }> = [];
  const server = createServer((req, res) => {
    requests.push({ url: req.url!, headers: req.headers });
    res.writeHead(req.url!.includes('v1/jobs') ? 404 : 204).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { requests, server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

let service: Awaited<ReturnType<typeof startService>>;
let other: Awaited<ReturnType<typeof startService>>;
beforeAll(async () => {
  [service, other] = await Promise.all([startService(), startService()]);
});
beforeEach(() => {
  service.requests.length = other.requests.length = 0;
});
afterAll(() => {
  for (const { server } of [service, other]) server.close();
});

describe('an invalid job id', () => {
  const IDS = [
    'foo/bar',
    '../events',
    'a b',
    '.',
    '..',
    'x\n',
    'a\\b',
    '\ud800',
    'a\u202eb',
    '%',
    'steps.none',
  ];
  const LINKS = [
    '/elsewhere',
    'https://example.com/v1/jobs/a.1',
    'http://[/v1/jobs/a.1',
    '/v1/jobs/%zz',
    '?',
  ];
  const client = () => createClient({ url: service.url });
  const end = { status: 404, code: expect.stringMatching(/^(not-found|unreachable)$/) };

  it.each([...IDS, ...LINKS])('%j is shown as a problem and throws nothing', async (reference) => {
    for (const given of [reference, { id: reference } as unknown as string]) {
      const store = createJobStore(client(), given);
      const stop = store.subscribe(() => {});
      await until('the watching has ended', () => store.get().status === 'ended');
      expect(store.get()).toMatchObject({ state: 'unknown', problem: end });
      stop();
      await expect(store.cancel()).rejects.toThrow();
    }
  });

  it.each(IDS)('%j ends watching without a request', async (id) => {
    const job = client().watchJob(id);
    await expect(job.result()).rejects.toMatchObject(end);
    await expect(job.get()).rejects.toMatchObject(end);
    await expect(job.cancel()).rejects.toMatchObject(end);
    const ends: unknown[] = [];
    client().watchJob(id, { onEnd: (error) => void ends.push(error) });
    await until('the watching has ended', () => ends.length > 0);
    expect(ends).toMatchObject([end]);
    for (const { url } of service.requests) expect(url).toMatch(/^\/v1\/jobs\/[^/]+(\/events|\/cancel)?$/);
  });

  it('is not reported while there is no job yet', () => {
    for (const noJob of [undefined, null]) {
      const store = createJobStore(client(), noJob as undefined);
      store.subscribe(() => {})();
      expect(store.get()).toMatchObject({ status: 'connecting', problem: undefined });
    }
  });
});

describe('a service below a path', () => {
  it.each(['/app', '/app/', '/app//'])(
    'at %s gets requests below that path, and its jobs have links below it',
    async (path) => {
      const job = createClient({ url: service.url + path }).watchJob('a.1');
      expect(job.links).toEqual({
        self: '/app/v1/jobs/a.1',
        events: '/app/v1/jobs/a.1/events',
        cancel: '/app/v1/jobs/a.1/cancel',
        result: '/app/v1/jobs/a.1/result',
      });
      await expect(job.get()).rejects.toMatchObject({ status: 404 });
      expect(service.requests.map(({ url }) => url)).toEqual(['/app/v1/jobs/a.1']);
    },
  );

  it.each(['/app/v1/jobs/a.1/events', '/v1/jobs/a.1', 'a.1'])('accepts %s as a link to its job', (link) => {
    expect(createClient({ url: `${service.url}/app` }).watchJob(link).id).toBe('a.1');
    expect(
      createClient({ url: `${service.url}/app` }).watchJob(`${service.url}${'/app/v1/jobs/a.1'}`).id,
    ).toBe('a.1');
  });

  it('differs from the service at the root of its host', () => {
    const link = `${service.url}/v1/jobs/a.1`;
    expect(() => createClient({ url: `${service.url}/app` }).watchJob(link)).toThrow(/another service/);
  });

  it('is found through a link if no client was given', async () => {
    for (const path of ['/app', '']) {
      const store = createJobStore(defaultClient(), `${service.url}${path}/v1/jobs/a.1/events`);
      const stop = store.subscribe(() => {});
      await until('the watching has ended', () => store.get().status === 'ended');
      stop();
    }
    expect(service.requests.map(({ url }) => url)).toEqual(
      ['/app', ''].map((path) => `${path}/v1/jobs/a.1/events?retries=follow`),
    );
  });
});

describe('$sse.create', () => {
  const create = (url: string, options: object = {}) =>
    createSse({ url: service.url, token: 'secret', headers: { 'X-Own': 'a' }, ...options }).create(url);

  it.each(['/stream?channel=a', 'stream?channel=a', '//stream?channel=a'.slice(1)])(
    'takes %j as a path of the service',
    async (path) => {
      await create(path).connect();
      expect(service.requests.map(({ url }) => url)).toEqual(['/stream?channel=a']);
    },
  );

  it('sends the token to an absolute URL of the service', async () => {
    await create(`${service.url}/stream?channel=a`).connect();
    expect(service.requests).toMatchObject([
      { url: '/stream?channel=a', headers: { authorization: 'Bearer secret', 'x-own': 'a' } },
    ]);
  });

  it('sends neither token nor headers to another service', async () => {
    await create(`${other.url}/news?since=1#x`).connect();
    expect(service.requests).toEqual([]);
    expect(other.requests.map(({ url }) => url)).toEqual(['/news?since=1']);
    expect(other.requests[0]!.headers).not.toHaveProperty('authorization');
    expect(other.requests[0]!.headers).not.toHaveProperty('x-own');
    // The URL is on the same host, but outside the service's path.
    await create(`${service.url}/elsewhere`, { url: `${service.url}/app` }).connect();
    expect(service.requests[0]).not.toHaveProperty('headers.authorization');
  });

  it('accepts links of a service below a path', async () => {
    const below = { url: `${service.url}/app` };
    for (const link of ['/app/stream', '/stream', `${service.url}/app/stream`])
      await create(link, below).connect();
    expect(service.requests.map(({ url }) => url)).toEqual(Array(3).fill('/app/stream'));
  });

  it('refuses an invalid URL at once', async () => {
    for (const url of ['http://', 'http://[/x', 'ftp://example.com/x', '//example.com/x'])
      await expect(create(url).connect()).rejects.toThrow(TypeError);
  });
});
