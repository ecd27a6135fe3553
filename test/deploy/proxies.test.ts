import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { connectH2, type H2Viewer, requestH2, responseOf, seen, watchH2 } from '../support/h2-viewer.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, type TestProcess } from '../support/processes.js';
import { freePort } from '../support/redis.js';
import { until } from '../support/until.js';
import { type ProxyName, proxyProgram, startWebProxy, type WebProxy } from '../support/web-proxies.js';

const NAMES: ProxyName[] = ['nginx', 'caddy', 'haproxy'];
const CHANNEL_RULES = [{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }];

// `npm run test:deploy` installs the proxies.
const present = NAMES.filter((name) => proxyProgram(name) !== undefined);
describe.skipIf(present.length === 0)('the configurations of proxies', () => {
  let headway: Headway;
  let ports: [number, number];
  const apis: TestProcess[] = [];
  const startOn = (port: number): Promise<TestProcess> => startApi({ ...headway.env, PORT: String(port) });

  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        ADMIN_TOKEN,
        CHANNEL_RULES: JSON.stringify(CHANNEL_RULES),
        DRAIN_DELAY_MS: '3000',
        SHUTDOWN_GRACE_MS: '1000',
      },
    });
    ports = [await freePort(), await freePort()];
    apis.push(await startOn(ports[0]), await startOn(ports[1]));
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.kill()));
    await headway?.stop();
  });

  const proxies = new Map<ProxyName, WebProxy>();
  beforeAll(async () => {
    const started = await Promise.all(present.map((name) => startWebProxy(name, ports)));
    for (const [i, name] of present.entries()) proxies.set(name, started[i]!);
  });
  afterAll(async () => {
    for (const proxy of proxies.values()) await proxy.stop();
  });

  it.each(present)('%s passes on events and uploads as they come, over HTTP/2', async (name) => {
    const proxy = proxies.get(name)!;
    const channel = `/v1/channels/public.${name}`;
    const session = await connectH2(proxy.url);
    expect(session.alpnProtocol).toBe('h2');

    // Each event is published when the previous one has arrived: with a buffer in between, the viewer would wait forever.
    const viewer = watchH2(proxy.url, `/stream?channel=public.${name}`);
    await until('the stream is open', () => viewer.opened() === 1);
    for (let i = 0; i < 20; i++) {
      const body = JSON.stringify({ data: `event ${i}` });
      expect((await requestH2(session, 'POST', channel, body, json)).status).toBe(200);
      await seen(viewer, `event ${i}`);
    }
    // When the viewer leaves, the API learns it.
    const watchers = async (): Promise<number> => {
      const { text } = await requestH2(session, 'GET', channel, '', admin);
      return (JSON.parse(text) as { watchers: number }).watchers;
    };
    await until('the viewer is counted', async () => (await watchers()) === 1);
    viewer.close();
    await until('the viewer is gone', async () => (await watchers()) === 0);

    // The first half of an upload is on disk before the second half is sent.
    const before = stored(headway.env.DATA_DIR!);
    const upload = session.request({ ':method': 'POST', ':path': '/v1/files?name=large.bin' });
    const half = Buffer.alloc(1_000_000, 'x');
    upload.write(half);
    await until('half of the upload is stored', () => stored(headway.env.DATA_DIR!) >= before + half.length);
    upload.end(half);
    const { status, text } = await responseOf(upload);
    expect([status, (JSON.parse(text) as { size: number }).size]).toEqual([201, 2 * half.length]);

    // The API knows that the browser uses TLS.
    const started = await requestH2(session, 'POST', '/v1/jobs', STEPS, json);
    expect(started.status).toBe(202);
    expect(String(started.headers['set-cookie'])).toContain('Secure');

    // The token of a stream is in no log.
    const { status: refused } = await requestH2(session, 'GET', '/v1/jobs?token=secret-in-the-url');
    expect(refused).toBe(401);
    if (name !== 'caddy') await until('the request is logged', () => proxy.log().includes('GET /v1/jobs'));
    expect(proxy.log()).not.toContain('secret-in-the-url');
    session.destroy();
  });

  // Not in npm test: a proxy has a second for each step, which a machine that runs other tests may not give it.
  const restarts = it.skipIf(process.env.TEST_DEPLOY !== '1');
  restarts('lose no event and no request while they and the API restart', { timeout: 120_000 }, async () => {
    const loads = [...proxies].map(([name, { url }]) => startLoad(name, url));
    const all = (step: (load: Load) => unknown): Promise<unknown> => Promise.all(loads.map(step));
    await all((load) => load.proceed());
    await all(({ name }) => proxies.get(name)!.reload());
    // Caddy lets open streams end with the old configuration.
    const cut = loads.filter(({ name }) => name !== 'caddy');
    await Promise.all(
      cut.map(({ name, viewer }) =>
        until(`the viewer of ${name} has come back`, () => viewer.opened() === 2),
      ),
    );
    await all((load) => load.proceed());
    for (const i of [0, 1] as const) {
      const exited = apis[i]!.stop();
      await all((load) => load.proceed());
      await exited;
      apis[i] = await startOn(ports[i]);
      await all((load) => load.proceed());
    }
    for (const load of loads) {
      const { published, failures } = await load.stop();
      expect(failures, load.name).toEqual([]);
      await seen(load.viewer, `n${published - 1}`);
      load.viewer.close();
      expect(load.viewer.data, load.name).toEqual(Array.from({ length: published }, (_, i) => `n${i}`));
      expect(load.viewer.opened(), load.name).toBeGreaterThan(1);
    }
  });
});

interface Load {
  name: ProxyName;
  viewer: H2Viewer;
  /** Waits until five more events are published. */
  proceed(): Promise<unknown>;
  stop(): Promise<{ published: number; failures: string[] }>;
}

/** Publishes numbered events through a proxy, one after the other, and watches them through the same proxy. */
function startLoad(name: ProxyName, url: string): Load {
  const channel = `public.${name}.restart`;
  const viewer = watchH2(url, `/stream?channel=${channel}`);
  const failures: string[] = [];
  let published = 0;
  let stopped = false;
  const publish = async (): Promise<void> => {
    const body = JSON.stringify({ data: `n${published}` });
    const { status, text } = await requestOnce(url, 'POST', `/v1/channels/${channel}`, body);
    if (status === 200) published++;
    else failures.push(`${status} ${text}`);
  };
  const publisher = (async () => {
    await until('the stream is open', () => viewer.opened() === 1);
    while (!stopped && failures.length === 0) {
      await publish().catch((error) => failures.push(String(error)));
    }
  })();
  return {
    name,
    viewer,
    proceed() {
      const target = published + 5;
      return until('five more events are published', () => published >= target || failures.length > 0);
    },
    async stop() {
      stopped = true;
      await publisher;
      return { published, failures };
    },
  };
}

const json = { 'content-type': 'application/json' };
const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };
const STEPS = JSON.stringify({ name: 'steps', data: { count: 1, intervalMs: 0 } });

/** Makes a request on a connection of its own, so that a proxy that closes its connections fails no request. */
async function requestOnce(url: string, method: string, path: string, body: string) {
  const session = await connectH2(url);
  try {
    return await requestH2(session, method, path, body, json);
  } finally {
    session.destroy();
  }
}

/** Returns the number of bytes in all files of a folder. */
const stored = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
