import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CLOSE_MS } from '../../src/shared/process/stop-settings.js';
import { startBalancer } from '../support/balancer.js';
import { CountingViewer } from '../support/counting-viewer.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { type Load, startLoad } from '../support/load.js';
import { startApi, startWorker } from '../support/processes.js';
import { expectNoStepBack } from '../support/progress.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const FIRST_JOBS = 40;
const WORKERS = 2;

/** From a few ms to more than the grace time of a stopping worker. */
const lengths = [
  { count: 5, intervalMs: 1 },
  { count: 10, intervalMs: 10 },
  { count: 20, intervalMs: 20 },
  { count: 30, intervalMs: 40 },
];

const VIEWERS = 80;
const APIS = 2;
const DRAIN_MS = 1000;
const GRACE_MS = 1500;
const CHANNEL = 'public.count';
/** How long the viewers may take on a busy machine, in ms. */
const BUSY_MS = 60_000;

describe('a rolling restart under load', () => {
  let headway: Headway;
  let workerEnv: Record<string, string>;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: 0,
      env: {
        DRAIN_DELAY_MS: String(DRAIN_MS),
        SHUTDOWN_GRACE_MS: String(GRACE_MS),
        CHANNEL_RULES: JSON.stringify([
          { channel: 'public.**', subscribe: 'anyone', publish: 'anyone', shared: true },
        ]),
      },
    });
    workerEnv = {
      ...headway.env,
      SHUTDOWN_GRACE_MS: '150',
      WORKER_CONCURRENCY: '4',
      PROGRESS_INTERVAL_MS: '20',
      WORKER_JOBS: 'steps',
    };
    headway.workers = await Promise.all(Array.from({ length: WORKERS }, () => startWorker(workerEnv)));
  });
  afterAll(() => headway.stop());

  it('of the workers completes every job without a failure or a stall, and every viewer sees it complete', async () => {
    const { client, workers } = headway;
    const streams: TestStream[] = [];
    let restarts = 0;
    let ended = false;
    onTestFinished(() => {
      ended = true;
    });
    let started = 0;
    const start = async (): Promise<void> => {
      const i = started++;
      const options = { attempts: 1, ...(i % 5 === 0 ? { priority: 1 + (i % 3) } : {}) };
      const job = await client.start('steps', lengths[i % lengths.length], options);
      streams.push(await openStream(client.events(job), { token: job.token }));
    };
    // Jobs are started during each restart, and some of them always wait: a stopping worker must not take new ones.
    const feeding = (async () => {
      await Promise.all(Array.from({ length: FIRST_JOBS }, start));
      while (restarts < WORKERS && !ended) {
        if (started < FIRST_JOBS + 20 * (restarts + 1)) await start();
        await sleep(50);
      }
    })();
    await Promise.race([feeding, workersAreBusy()]);
    for (let i = 0; i < WORKERS; i++) {
      await workers[i]!.stop();
      expect(workers[i]!.child.exitCode).toBe(0);
      workers[i] = await startWorker(workerEnv);
      restarts++;
    }
    await feeding;
    await Promise.all(streams.map(({ ended }) => ended));
    expect(restarts).toBe(WORKERS);

    let handedBack = 0;
    for (const { events, names } of streams) {
      const ends = names().filter((name) => ['completed', 'failed', 'cancelled'].includes(name));
      expect(ends).toEqual(['completed']);
      expect(names().at(-1)).toBe('completed');
      expect(names()).not.toContain('stalled');
      expect(names()).not.toContain('retrying');
      const { attempt, percent } = expectNoStepBack(events);
      expect(percent).toBe(100);
      if (attempt > 1) handedBack++;
    }
    expect(handedBack).toBeGreaterThan(0);
    const queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
    expect(await queue.getJobCounts()).toMatchObject({
      completed: streams.length,
      failed: 0,
      active: 0,
      waiting: 0,
    });
    for (const job of await queue.getCompleted(0, streams.length)) {
      expect(job).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
    }
    await queue.close();
    for (const { output } of workers) expect(output()).not.toMatch(/"level":(50|60)/);
    // On a busy machine, starting the processes alone takes a while.
  }, 120_000);

  /** Resolves when the workers run several jobs each, also if starting jobs takes longer than running them. */
  async function workersAreBusy(): Promise<void> {
    const { connection } = headway;
    await until(
      'the workers are busy',
      async () => (await connection.llen('{headway}:steps:active')) > WORKERS * 2,
    );
  }

  it('of the APIs loses no event, fails no request, and ends each process before its deadline', async () => {
    const balancer = await startBalancer();
    const apis = [
      headway.api,
      ...(await Promise.all(Array.from({ length: APIS - 1 }, () => startApi(headway.env)))),
    ];
    await Promise.all(apis.map(({ url }) => balancer.add(url)));
    const stream = new URL(`${balancer.url}/stream?channel=${CHANNEL}`);
    const viewers = Array.from({ length: VIEWERS }, () => new CountingViewer(stream));
    const loads: Load[] = [];
    onTestFinished(async () => {
      await Promise.all(loads.map((load) => load.stop()));
      for (const viewer of viewers) viewer.close();
      balancer.stop();
      await Promise.all(apis.map((api) => api.kill()));
    });
    await until('all viewers are there', () => viewers.every(({ connections }) => connections > 0), BUSY_MS);

    const publishing = startLoad(`${balancer.url}/v1/channels/${CHANNEL}`, 200, {
      body: (n) => ({ data: { n } }),
    });
    const job = { name: 'steps', data: { count: 2, intervalMs: 20 } };
    loads.push(
      publishing,
      ...Array.from({ length: 2 }, () => startLoad(`${balancer.url}/v1/jobs`, 202, { body: () => job })),
    );
    await until('all viewers see the numbers', () => viewers.every(({ last }) => last > 0), BUSY_MS);

    for (let i = 0; i < APIS; i++) {
      const old = apis[i]!;
      const next = await startApi(headway.env);
      apis.push(next);
      await balancer.add(next.url);
      // A viewer that reads nothing and a request that never ends must not keep the process.
      const stuck = await Promise.all([
        holdOpen(
          old.url,
          `GET /stream?channel=${CHANNEL} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
        ),
        holdOpen(
          old.url,
          'POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{',
        ),
      ]);
      const askedAt = performance.now();
      old.child.kill('SIGTERM');
      await until('it is not ready, but serves', async () => {
        const [ready, healthy] = await Promise.all(
          ['/readyz', '/healthz'].map((path) => fetch(`${old.url}${path}`)),
        );
        return (
          ready!.status === 503 && healthy!.status === 200 && healthy!.headers.get('connection') === 'close'
        );
      });
      await old.stop();
      expect(old.child.exitCode).toBe(0);
      expect(performance.now() - askedAt).toBeLessThan(DRAIN_MS + GRACE_MS + CLOSE_MS);
      expect(old.output()).not.toMatch(/"level":(50|60)|timed out/);
      balancer.remove(old.url);
      for (const socket of stuck) socket.destroy();
    }
    await until(
      'all viewers have come back',
      () => viewers.every(({ connections }) => connections > 1),
      BUSY_MS,
    );
    const published = await publishing.stop();
    for (const load of loads) await load.stop();
    expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
    await until(
      'all viewers have the last number',
      () => viewers.every(({ last }) => last === published),
      BUSY_MS,
    );
    expect(viewers.flatMap(({ faults }) => faults)).toEqual([]);
    // On a busy machine, starting the processes alone takes a while.
  }, 180_000);
});

/** Sends some bytes on a new connection, from which nothing is read. */
async function holdOpen(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).pause();
  socket.on('error', () => {});
  await once(socket, 'connect');
  await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}
