import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type H2Viewer, seen, watchH2 } from '../support/h2-viewer.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startLoad } from '../support/load.js';
import { startApi, type TestProcess } from '../support/processes.js';
import { Scrape } from '../support/prometheus.js';
import { freePort } from '../support/redis.js';
import { until } from '../support/until.js';
import { type ProxyName, proxyProgram, startWebProxy } from '../support/web-proxies.js';

const NAMES: ProxyName[] = ['nginx', 'haproxy', 'caddy'];
const APIS = 3;
const VIEWERS = 45;
/** The least that each of `count` processes must have of the viewers if they are spread. */
const share = (count: number): number => VIEWERS / count / 2;

// Only in npm run test:deploy, which has the machine for itself: viewers are handed over within a time.
const present = NAMES.filter((name) => process.env.TEST_DEPLOY === '1' && proxyProgram(name) !== undefined);
describe.skipIf(present.length === 0)('three API processes behind a balancer without sticky sessions', () => {
  let headway: Headway;
  const ports: number[] = [];
  const apis: TestProcess[] = [];
  const startOn = (port: number): Promise<TestProcess> => startApi({ ...headway.env, PORT: String(port) });

  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }]),
        DRAIN_DELAY_MS: '3000',
        SHUTDOWN_GRACE_MS: '2000',
      },
    });
    // Not one of the three.
    await headway.api.kill();
    for (let i = 0; i < APIS; i++) ports.push(await freePort());
    apis.push(...(await Promise.all(ports.map(startOn))));
  });
  afterAll(async () => {
    await Promise.all(apis.map((api) => api.kill()));
    await headway?.stop();
  });

  const viewersOf = async ({ metrics }: TestProcess): Promise<number> =>
    (await Scrape.of(metrics)).value('headway_stream_viewers');

  it.each(present)(
    '%s spreads streams, and a process hands its viewers over within a second',
    async (name) => {
      const proxy = await startWebProxy(name, ports);
      const channel = `public.${name}`;
      const viewers: H2Viewer[] = [];
      onTestFinished(async () => {
        for (const viewer of viewers) viewer.close();
        await proxy.stop();
      });
      // One after another, as they come in life: a burst is spread by turns.
      while (viewers.length < VIEWERS) {
        const viewer = watchH2(proxy.url, `/stream?channel=${channel}`);
        viewers.push(viewer);
        await until('the stream is open', () => viewer.opened() === 1);
      }
      for (const api of apis) expect(await viewersOf(api)).toBeGreaterThan(share(APIS));
      const load = startLoad(`${proxy.url}/v1/channels/${channel}`, 200, {
        body: (n) => ({ data: `n${n}` }),
        pauseMs: 20,
      });
      onTestFinished(async () => void (await load.stop()));

      // A process leaves: its viewers, and only they, go to the others.
      const [leaving, ...others] = apis;
      const moving = await viewersOf(leaving!);
      await leaving!.stop();
      await until('the others have all viewers', async () => {
        const counts = await Promise.all(others.map(viewersOf));
        return counts.reduce((sum, count) => sum + count, 0) === VIEWERS;
      });
      for (const api of others) expect(await viewersOf(api)).toBeGreaterThan(share(APIS));
      const moved = viewers.filter((viewer) => viewer.opened() > 1);
      expect(moved.length).toBe(moving);
      const gaps = moved.flatMap((viewer) => viewer.gaps);
      expect(gaps.length).toBe(moving);
      expect(Math.max(...gaps)).toBeLessThan(1000);
      apis[0] = await startOn(ports[0]!);

      // A process is killed.
      const lost = others[0]!;
      await lost.kill();
      await until('all its viewers have come back', async () => {
        const counts = await Promise.all([apis[0]!, others[1]!].map(viewersOf));
        return counts.reduce((sum, count) => sum + count, 0) === VIEWERS;
      });
      apis[1] = await startOn(ports[1]!);

      const sent = await load.stop();
      // The only request that may fail is one that the killed process was answering.
      expect(load.failures.length).toBeLessThanOrEqual(1);
      for (const viewer of viewers) {
        await seen(viewer, `n${sent}`);
        const numbers = viewer.data.map((text) => Number(text.slice(1)));
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
        expect(numbers.length).toBeGreaterThanOrEqual(load.answers.length);
      }
    },
  );
});
