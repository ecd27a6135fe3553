import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { CLOSE_MS } from '../../src/shared/process/stop-settings.js';
import { startBalancer } from '../support/balancer.js';
import type { StartedJob } from '../support/client.js';
import { CountingViewer } from '../support/counting-viewer.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { startApi, startWorker } from '../support/processes.js';
import { openStream, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

const JOBS = 400;
const WORKERS = 3;
const ROUNDS = 3;

/** From a few ms to more than the grace time of a stopping worker. */
const lengths = [
  { count: 5, intervalMs: 1 },
  { count: 10, intervalMs: 10 },
  { count: 20, intervalMs: 20 },
  { count: 30, intervalMs: 40 },
];

describe('a rolling restart of the workers under load', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      workers: WORKERS,
      env: { SHUTDOWN_GRACE_MS: '150', WORKER_CONCURRENCY: '10', PROGRESS_INTERVAL_MS: '20' },
    });
  });
  afterAll(() => headway.stop());

  it('completes every job without a failure or a stall, and every viewer sees it complete', async () => {
    const { client, workers, env } = headway;
    const jobs: StartedJob[] = [];
    const streams: TestStream[] = [];
    let restarts = 0;
    // Jobs are started all the time: a stopping worker must not take new ones.
    const feeding = (async () => {
      for (let i = 0; i < JOBS; i++) {
        const options = { attempts: 1, ...(i % 5 === 0 ? { priority: 1 + (i % 3) } : {}) };
        const job = await client.start('steps', lengths[i % lengths.length], options);
        jobs.push(job);
        streams.push(await openStream(client.events(job), { token: job.token }));
      }
    })();
    await Promise.race([feeding, workersAreBusy()]);
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < WORKERS; i++) {
        await workers[i]!.stop();
        expect(workers[i]!.child.exitCode).toBe(0);
        workers[i] = await startWorker(env);
        restarts++;
      }
    }
    await feeding;
    await Promise.all(streams.map(({ ended }) => ended));
    expect(restarts).toBe(ROUNDS * WORKERS);

    let handedBack = 0;
    for (const { events, names } of streams) {
      const ends = names().filter((name) => ['completed', 'failed', 'cancelled'].includes(name));
      expect(ends).toEqual(['completed']);
      expect(names().at(-1)).toBe('completed');
      expect(names()).not.toContain('stalled');
      expect(names()).not.toContain('retrying');
      let attempt = 0;
      let percent = 0;
      for (const { event, data } of events) {
        expect(data.attempt).toBeGreaterThanOrEqual(attempt);
        if (data.attempt > attempt) percent = 0;
        attempt = data.attempt;
        if (event !== 'progress') continue;
        expect(data.percent).toBeGreaterThanOrEqual(percent);
        percent = data.percent;
      }
      expect(percent).toBe(100);
      if (attempt > 1) handedBack++;
    }
    expect(handedBack).toBeGreaterThan(0);
    const queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
    expect(await queue.getJobCounts()).toMatchObject({ completed: JOBS, failed: 0, active: 0, waiting: 0 });
    for (const job of await queue.getCompleted(0, JOBS)) {
      expect(job).toMatchObject({ attemptsMade: 1, stalledCounter: 0 });
    }
    await queue.close();
    for (const { output } of workers) expect(output()).not.toMatch(/"level":(50|60)/);
  });

  /** Resolves when the workers run several jobs each, also if starting jobs takes longer than running them. */
  async function workersAreBusy(): Promise<void> {
    const { connection } = headway;
    await until(
      'the workers are busy',
      async () => (await connection.llen('{headway}:steps:active')) >= WORKERS * 3,
    );
  }
});

describe('a rolling restart of the APIs under load', () => {
  const VIEWERS = 1000;
  const APIS = 3;
  const DRAIN_MS = 500;
  const GRACE_MS = 1500;
  const CHANNEL = 'public.count';
  /** How long a thousand viewers may take on a busy machine, in ms. */
  const BUSY_MS = 60_000;
  /** The pause between two requests of one client. */
  const PAUSE_MS = 250;

  it('loses no event, fails no request, and ends each process before its deadline', async () => {
    const headway = await startHeadway({
      env: {
        DRAIN_DELAY_MS: String(DRAIN_MS),
        SHUTDOWN_GRACE_MS: String(GRACE_MS),
        CHANNEL_RULES: JSON.stringify([
          { channel: 'public.**', subscribe: 'anyone', publish: 'anyone', shared: true },
        ]),
      },
    });
    const balancer = await startBalancer();
    const apis = [
      headway.api,
      ...(await Promise.all(Array.from({ length: APIS - 1 }, () => startApi(headway.env)))),
    ];
    await Promise.all(apis.map(({ url }) => balancer.add(url)));
    const stream = new URL(`${balancer.url}/stream?channel=${CHANNEL}`);
    const viewers = Array.from({ length: VIEWERS }, () => new CountingViewer(stream));
    let loading = true;
    const failed: unknown[] = [];
    const loops: Array<Promise<number>> = [];
    onTestFinished(async () => {
      loading = false;
      await Promise.allSettled(loops);
      for (const viewer of viewers) viewer.close();
      balancer.stop();
      await Promise.all(apis.map((api) => api.kill()));
      await headway.stop();
    });
    await until('all viewers are there', () => viewers.every(({ connections }) => connections > 0), BUSY_MS);

    /** Sends requests one after another on one kept connection. Resolves to their number when the load ends. */
    async function load(path: string, body: (n: number) => unknown, status: number): Promise<number> {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      let n = 0;
      while (loading) {
        const answer = await post(agent, `${balancer.url}${path}`, body(++n));
        if (answer !== status) failed.push([path, answer]);
        await sleep(PAUSE_MS);
      }
      agent.destroy();
      return n;
    }
    const publishing = load(`/v1/channels/${CHANNEL}`, (n) => ({ data: { n } }), 200);
    const job = { name: 'steps', data: { count: 2, intervalMs: 20 } };
    loops.push(publishing, ...Array.from({ length: 3 }, () => load('/v1/jobs', () => job, 202)));
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
    loading = false;
    const published = await publishing;
    await Promise.all(loops);
    expect(failed).toEqual([]);
    await until(
      'all viewers have the last number',
      () => viewers.every(({ last }) => last === published),
      BUSY_MS,
    );
    expect(viewers.flatMap(({ faults }) => faults)).toEqual([]);
    // On a busy machine, starting the processes alone takes a while.
  }, 180_000);
});

/** Sends a JSON body. Resolves to the status of the answer, or to the error's code. */
async function post(agent: Agent, url: string, body: unknown): Promise<number | string> {
  const sent = request(url, { agent, method: 'POST', headers: { 'Content-Type': 'application/json' } });
  sent.end(JSON.stringify(body));
  try {
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    return answer.statusCode!;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

/** Sends some bytes on a new connection, from which nothing is read. */
async function holdOpen(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).pause();
  socket.on('error', () => {});
  await once(socket, 'connect');
  await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}
