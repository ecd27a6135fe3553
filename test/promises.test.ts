import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from './support/client.js';
import { type Headway, startHeadway } from './support/headway.js';
import { jobsDir } from './support/jobs.js';
import { startMonitor } from './support/monitor.js';
import { startApi, startWorker, type TestProcess } from './support/processes.js';
import { openStream, type ReceivedEvent, type TestStream } from './support/sse.js';
import { until } from './support/until.js';

const TERMINAL = ['completed', 'failed', 'cancelled'];
const isTerminal = ({ event }: ReceivedEvent): boolean => TERMINAL.includes(event);

describe('the promises', () => {
  let headway: Headway;
  let turns = 0;
  const streams: TestStream[] = [];

  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        JOBS_DIR: jobsDir('steered', 'hot', 'hasty', 'long-lines'),
        WORKER_JOBS: 'steps,steered,hot,hasty,long-lines',
        WORKER_CONCURRENCY: '20',
        LOG_LEVEL: 'trace',
        STALL_TIMEOUT_MS: '5000',
        HEARTBEAT_MS: '500',
      },
    });
  });
  afterEach(() => {
    for (const stream of streams.splice(0)) stream.close();
  });
  afterAll(() => headway.stop());

  async function watch(job: StartedJob, lastEventId?: string): Promise<TestStream> {
    const stream = await openStream(headway.client.events(job), { token: job.token, lastEventId });
    streams.push(stream);
    return stream;
  }

  /** Starts a job that the test steers. Returns the job with a function that sends it the next instruction. */
  async function steered(options?: Record<string, unknown>) {
    const list = `turns:${++turns}`;
    const job = await headway.client.start('steered', { turns: list }, options);
    const turn = (what: unknown) =>
      headway.connection.lpush(list, typeof what === 'string' ? what : JSON.stringify(what));
    return { job, turn };
  }

  it('P2: every viewer (early, late, after the end, returning) gets the terminal event once, and its stream ends', async () => {
    const { job, turn } = await steered();
    const before = await watch(job);
    await turn(10);
    await before.waitFor('progress');
    const during = await watch(job);
    const leaving = await watch(job);
    await leaving.waitFor('progress');
    leaving.close();
    await turn('end');
    await Promise.all([before.ended, during.ended]);
    const after = await watch(job);
    const returning = await watch(job, leaving.lastEventId());
    await Promise.all([after.ended, returning.ended]);
    for (const stream of [before, during, after, returning]) {
      expect(stream.events.filter(isTerminal).map(({ event }) => event)).toEqual(['completed']);
      expect(isTerminal(stream.events.at(-1)!)).toBe(true);
    }
    const seenIt = await watch(job, after.lastEventId());
    expect(seenIt.status).toBe(204);
    expect(seenIt.raw()).toBe('');
  });

  it('P3: within an attempt progress never goes back; no event is repeated or follows the end; a retry is shown', async () => {
    const { job, turn } = await steered({ attempts: 2 });
    const stream = await watch(job);
    for (const percent of [10, 60, 30, 61, 59]) await turn(percent);
    await turn('fail');
    await stream.waitFor('retrying');
    for (const percent of [5, 50, 20]) await turn(percent);
    await turn('end');
    await stream.ended;
    const offsets = stream.events.map(({ id }) => Number(id!.split('-')[1]));
    expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
    for (const attempt of [1, 2]) {
      const percents = stream.events.flatMap(({ event, data }) =>
        event === 'progress' && data.attempt === attempt ? [data.percent] : [],
      );
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
      expect(percents.at(-1)).toBe(attempt === 1 ? 61 : 50);
    }
    expect(stream.names().filter((name) => name !== 'progress')).toEqual([
      'waiting',
      'active',
      'retrying',
      'active',
      'completed',
    ]);
    const retried = stream.names().indexOf('retrying');
    expect(
      stream.events.slice(retried).every(({ event, data }) => event !== 'progress' || data.attempt === 2),
    ).toBe(true);
  });

  it('P4: a late viewer gets the current progress in the first frames, without waiting for an update', async () => {
    const { job, turn } = await steered();
    const first = await watch(job);
    await turn({ current: 37, total: 100, unit: 'rows' });
    await first.waitFor(({ data }) => data.current === 37);
    const late = await watch(job);
    const { data } = await late.waitFor('progress');
    expect(data).toMatchObject({
      jobId: job.id,
      attempt: 1,
      percent: 37,
      current: 37,
      total: 100,
      unit: 'rows',
    });
    expect(late.names()).toEqual(['waiting', 'active', 'progress']);
    await turn('end');
    await late.ended;
  });

  it('P5: a returning viewer gets each log and lifecycle event it missed and the newest progress, and nothing else', async () => {
    const { job, turn } = await steered({ attempts: 2 });
    const first = await watch(job);
    await turn('log one');
    await turn(10);
    await first.waitFor('progress');
    first.close();
    const other = await watch(job);
    for (const what of ['log two', 20, 30, 'log three', 40]) await turn(what);
    await other.waitFor(({ data }) => data.percent === 40);
    const back = await watch(job, first.lastEventId());
    await back.waitFor(({ data }) => data.percent === 40);
    expect(back.events.map(({ event, data }) => (event === 'log' ? data.message : event))).toEqual([
      'two',
      'three',
      'progress',
    ]);
    back.close();
    await turn('fail');
    await turn('log four');
    await turn('end');
    await other.ended;
    const again = await watch(job, back.lastEventId());
    await again.ended;
    expect(again.events.map(({ event, data }) => (event === 'log' ? data.message : event))).toEqual([
      'retrying',
      'active',
      'four',
      'completed',
    ]);
  });

  it('P6: stalled viewers cost little memory, delay no other viewer, lose no log line, and are eventually dropped', async () => {
    const lines = 900;
    const length = 9000;
    const { pid } = headway.api.child;
    const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    const job = await headway.client.start('long-lines', { lines, length });
    const stalled = await Promise.all(
      Array.from({ length: 40 }, async () => {
        const socket = connect(Number(new URL(headway.api.url).port), '127.0.0.1');
        socket.on('error', () => {});
        await once(socket, 'connect');
        socket.write(`GET ${job.links.events}?token=${job.token} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        await once(socket, 'readable');
        return socket;
      }),
    );
    const returning = await watch(job);
    await returning.waitFor('log');
    returning.pause();
    const before = rss();
    const good = await watch(job);
    await good.ended;
    expect(good.events.filter(({ event }) => event === 'log')).toHaveLength(lines);
    // Buffers for forty viewers would take 8 MB each.
    expect((rss() - before) / 1024).toBeLessThan(100);

    returning.resume();
    await returning.ended;
    const { events } = returning;
    // On a busy machine, this viewer has stalled for so long that it was dropped, too. Then it comes back, as a client does.
    if (events.at(-1)!.event !== 'completed') {
      const resumed = await watch(job, returning.lastEventId());
      await resumed.ended;
      events.push(...resumed.events);
    }
    expect(
      events.filter(({ event }) => event === 'log').map(({ data }) => parseInt(data.message, 10)),
    ).toEqual(Array.from({ length: lines }, (_, i) => i + 1));
    expect(events.at(-1)!.event).toBe('completed');
    const sockets = (): string => readFileSync(`/proc/${pid}/net/tcp`, 'utf8');
    const port = Number(new URL(headway.api.url).port).toString(16).toUpperCase().padStart(4, '0');
    const open = (): number =>
      sockets()
        .split('\n')
        .filter(
          (line) =>
            line.includes(`:${port} `) &&
            / 01 /.test(line) &&
            line.trim().split(/\s+/)[1]!.endsWith(`:${port}`),
        ).length;
    await until('the stalled viewers are dropped', () => open() === 0);
    for (const socket of stalled) socket.destroy();
  });

  it('P7: a hot loop of updates is coalesced, and its last update comes before the end', async () => {
    const job = await headway.client.start('hot', { updates: 300_000 });
    const stream = await watch(job);
    await stream.ended;
    const progress = stream.events.filter(({ event }) => event === 'progress');
    const { ms } = stream.events.at(-1)!.data.result;
    // One event for each interval of 100 ms, one at the start and one at the end.
    expect(progress.length).toBeLessThanOrEqual(ms / 100 + 2);
    expect(progress.at(-1)!.data).toMatchObject({ percent: 100, current: 300_000 });
    expect(stream.events.at(-2)).toBe(progress.at(-1));
  });

  it.each([
    ['completed', false],
    ['failed', true],
  ])('P7: Redis stores the last update before BullMQ records that an attempt has %s', async (end, fail) => {
    const { commands, close } = await startMonitor(headway.redis.port);
    try {
      const job = await headway.client.start('hasty', { fail });
      await (await watch(job)).ended;
      const at = (what: string, ...words: string[]): number =>
        commands.findIndex(
          ([command, ...args]) =>
            command!.toLowerCase() === what && words.every((word) => args.some((arg) => arg.includes(word))),
        );
      // MONITOR reports a command later than the command takes effect.
      await until(
        'MONITOR has reported the end',
        () => at('xadd', '{headway}:hasty:events', end, job.id) >= 0,
      );
      const kept = at('hset', `headway:{job:${job.id}}:slots`, '"percent":90');
      expect(kept).toBeGreaterThanOrEqual(0);
      expect(kept).toBeLessThan(at('xadd', '{headway}:hasty:events', end, job.id));
    } finally {
      close();
    }
  });

  describe('beside another API process', () => {
    let idle: TestProcess;
    beforeAll(async () => {
      idle = await startApi(headway.env);
    });
    afterAll(() => idle.kill());

    it('P8: an API process subscribes to a job only while a viewer watches it', async () => {
      const { job, turn } = await steered();
      await turn(10);
      const channels = async (): Promise<unknown> => {
        const counts = (await headway.connection.call(
          'PUBSUB',
          'SHARDNUMSUB',
          `headway:{job:${job.id}}`,
        )) as unknown[];
        return counts[1];
      };
      await until(
        'the job has progress',
        async () => ((await (await headway.client.get(job)).json()) as { progress: unknown }).progress,
      );
      expect(await channels()).toBe(0);
      const stream = await watch(job);
      await stream.waitFor('progress');
      expect(await channels()).toBe(1);
      stream.close();
      await until('no process is subscribed', async () => (await channels()) === 0);
      await turn('end');
      // A worker follows the queues, so no API process does.
      expect(await headway.connection.get('headway:{bridge}:lease')).toMatch(/^worker:/);
    });

    it('P8: an API process receives nothing about jobs that it does not serve', async () => {
      // The bytes that the process has read from sockets and files.
      const read = (): number =>
        Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${idle.child.pid}/io`, 'utf8'))![1]);
      await fetch(`${idle.url}/readyz`);
      const [before, start] = [read(), performance.now()];
      const jobs = await Promise.all([
        headway.client.start('long-lines', { lines: 300, length: 3000 }),
        ...Array.from({ length: 100 }, () => headway.client.start('steps', { count: 3, intervalMs: 1 })),
      ]);
      await Promise.all(jobs.map(async (job) => (await watch(job)).ended));
      const [during, end] = [read() - before, performance.now()];
      // Whatever jobs there are, it asks for its state now and then: as much is read in the same time without jobs.
      await setTimeout(end - start);
      const atRest = read() - before - during;
      // Less than 100 bytes for each job: a single lifecycle event is larger.
      expect(during - atRest).toBeLessThan(100 * jobs.length);
    });
  });

  describe('without a worker at first, and with a short log', () => {
    let lonely: Headway;
    beforeAll(async () => {
      const env = {
        CHANNEL_LOG_LENGTH: '20',
        JOBS_DIR: jobsDir('long-lines'),
        WORKER_JOBS: 'steps,long-lines',
      };
      lonely = await startHeadway({ workers: 0, env });
    });
    afterAll(() => lonely.stop());

    it('P8: an API process follows the queues only until there is a worker', async () => {
      const holder = (): Promise<string | null> => lonely.connection.get('headway:{bridge}:lease');
      await until('the API leads', async () => (await holder())?.startsWith('api:'));
      lonely.workers.push(await startWorker(lonely.env));
      await until('the worker leads', async () => (await holder())?.startsWith('worker:'));
    });

    it('P5: a viewer that missed more than the log holds gets a reset and the current state', async () => {
      const { client } = lonely;
      const job = await client.start('long-lines', { lines: 600, length: 10 }, { delayMs: 500 });
      const open = (lastEventId?: string) =>
        openStream(client.events(job), { token: job.token, lastEventId });
      const first = await open();
      const { id } = await first.waitFor('delayed');
      await first.ended;
      const back = await open(id);
      await back.ended;
      expect(back.events[0]).toMatchObject({ event: 'reset', data: { reason: 'trimmed' } });
      expect(back.names()).toContain('progress');
      expect(back.events.at(-1)!.event).toBe('completed');
    });

    it('P1: an accepted job reaches its end although the API dies after the 202 and there is no worker yet', async () => {
      await Promise.all(lonely.workers.map((worker) => worker.kill('SIGKILL')));
      const job = await lonely.client.start('steps', { count: 3, intervalMs: 1 });
      await lonely.api.kill('SIGKILL');
      const [api, worker] = await Promise.all([startApi(lonely.env), startWorker(lonely.env)]);
      lonely.workers.push(api, worker);
      const stream = await openStream(`${api.url}${job.links.events}`, { token: job.token });
      expect((await stream.waitFor(isTerminal)).event).toBe('completed');
    });
  });

  it('P9: only the holder of its token can see a job; other callers cannot tell whether it exists', async () => {
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const other = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const ask = async (path: string, token?: string): Promise<{ status: number; body: unknown }> => {
      const response = await fetch(
        `${headway.api.url}${path}`,
        token ? { headers: { Authorization: `Bearer ${token}` } } : {},
      );
      const { instance, requestId, ...body } = (await response.json()) as Record<string, unknown>;
      expect(requestId).toBe(response.headers.get('x-request-id'));
      expect(instance).toBe(path);
      return { status: response.status, body };
    };
    const missing = '/v1/jobs/00000000-0000-4000-8000-000000000000';
    for (const suffix of ['', '/events', '/result']) {
      const unknown = await ask(`${missing}${suffix}`);
      expect(unknown.status).toBe(404);
      expect(await ask(`/v1/jobs/${job.id}${suffix}`)).toEqual(unknown);
      expect(await ask(`/v1/jobs/${job.id}${suffix}`, other.token)).toEqual(unknown);
      expect(await ask(`${missing}${suffix}`, other.token)).toEqual(unknown);
      const forged = `${job.token.slice(0, -4)}AAAA`;
      expect((await ask(`/v1/jobs/${job.id}${suffix}`, forged)).status).toBe(401);
    }
    const allowed = await openStream(`${headway.client.events(job)}?token=${job.token}`);
    await allowed.ended;
    expect(allowed.events.at(-1)!.event).toBe('completed');
    // The request is in the log, without the token.
    expect(headway.api.output()).toContain('token=[redacted]');
    for (const process of [headway.api, ...headway.workers])
      expect(process.output()).not.toContain(job.token);
  });
});
