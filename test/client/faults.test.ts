import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type AnyJobs, createClient, type JobEvent, type Status } from '../../src/client/index.js';
import { createJobStore } from '../../src/client/store.js';
import { startCutProxy } from '../support/cut-proxy.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi } from '../support/processes.js';
import { until } from '../support/until.js';

/** A summary of an event: a log line by its message, progress by its percent, anything else by its name. */
const gist = ({ event, data }: JobEvent): string =>
  event === 'log' ? data.message : event === 'progress' ? `${data.percent} %` : event;

/** Without the estimates that a worker publishes for a silent job, once it knows how long its kind takes. */
const saidBy = (events: JobEvent[]): string[] =>
  events.filter((event) => event.event !== 'progress' || event.data.percent !== null).map(gist);

describe('a watching client', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({ appendOnly: true, env: { JOBS_DIR: jobsDir('steered') } });
  });
  afterAll(() => headway.stop());

  /** Starts the API again, at its former address. */
  async function restartApi(): Promise<void> {
    const { port } = new URL(headway.api.url);
    headway.api = await startApi({ ...headway.env, PORT: port });
  }

  let lists = 0;
  /** Watches two steered jobs, each in its own loop, over one connection. */
  async function watchTwo() {
    lists++;
    const turns = ['one', 'two'].map((name) => `${name}:${lists}`);
    const statuses: Status[] = [];
    const client = createClient<AnyJobs>({ url: headway.api.url });
    const jobs = [
      await client.startJob('steered', { turns: turns[0] }),
      await client.startJob('steered', { turns: turns[1] }),
    ];
    jobs[0]!.watch({ onStatus: (status) => void statuses.push(status) });
    const seen: JobEvent[][] = [[], []];
    const loops = jobs.map(async (job, i) => {
      for await (const event of job) seen[i]!.push(event);
    });
    const say = async (...what: string[]): Promise<void> => {
      for (const turn of what) for (const list of turns) await headway.connection.lpush(list, turn);
    };
    const hasTaken = async (): Promise<boolean> => (await headway.connection.exists(...turns)) === 0;
    const saw = (what: string) =>
      until(`both saw ${what}`, () => seen.every((events) => events.some((event) => gist(event) === what)));
    return {
      ids: jobs.map(({ id }) => id),
      seen,
      loops: Promise.all(loops),
      results: Promise.all(jobs.map((job) => job.result())),
      statuses,
      say,
      saw,
      hasTaken,
    };
  }

  it('becomes stale within two seconds when Redis or the API stops or hangs, and live again afterwards', async () => {
    const { client, redis, api } = headway;
    const job = await client.start('steps', { count: 6000, intervalMs: 100 });
    const store = createJobStore(createClient({ url: api.url }), job.id, job.token);
    const stop = store.subscribe(() => {});
    const isLive = (): Promise<unknown> =>
      until(
        'the client is live',
        () => store.get().status === 'live' && store.get().progress?.etaMs !== undefined,
      );
    for (const [away, back] of [
      [() => redis.signal('SIGSTOP'), () => redis.signal('SIGCONT')],
      [() => redis.kill(), () => redis.restart()],
      [() => api.child.kill('SIGSTOP'), () => api.child.kill('SIGCONT')],
    ] as const) {
      const took: number[] = [];
      // A busy machine may delay the client, but not three times.
      while (took.length < 3 && !took.some((ms) => ms < 2000)) {
        await isLive();
        await away();
        const since = performance.now();
        await until('the client is stale', () => store.get().status === 'stale');
        took.push(performance.now() - since);
        expect(store.get()).toMatchObject({ state: 'active', progress: { unit: 'steps' } });
        expect(store.get().progress).not.toHaveProperty('etaMs');
        await back();
      }
      expect(Math.min(...took)).toBeLessThan(2000);
    }
    await isLive();
    stop();
    await client.cancel(job);
  });

  it('is stale while the service waits for Redis, and live when Redis is back', async () => {
    const { api, client, connection, redis } = headway;
    const { id, token } = await client.start('steered', { turns: 'one' });
    await redis.kill();
    await until(
      'the API reports that Redis is down',
      async () => (await fetch(`${api.url}/readyz`)).status === 503,
    );
    const statuses: Status[] = [];
    const chunks: string[] = [];
    const watching = createClient({
      url: api.url,
      async fetch(input, init) {
        const response = await fetch(input, init);
        const text = new TextDecoderStream();
        const note = new TransformStream<string, string>({
          transform(chunk, controller) {
            controller.enqueue(chunk);
            chunks.push(chunk);
          },
        });
        const body = response.body?.pipeThrough(text).pipeThrough(note).pipeThrough(new TextEncoderStream());
        return new Response(body, response);
      },
    }).watchJob({ id, token });
    watching.watch({ onStatus: (status) => void statuses.push(status) });
    await until('the stream sends `waiting`', () => chunks.join('').includes(': waiting'));
    expect(statuses).not.toContain('live');
    await redis.restart();
    await until('the client is live', () => statuses.at(-1) === 'live');
    await connection.lpush('one', 'end');
    await watching.result();
  });

  it('continues after the API was killed and restarted: no event is lost or duplicated', async () => {
    const { seen, loops, results, statuses, say, saw, hasTaken } = await watchTwo();
    await say('log before', '10');
    await saw('10 %');
    await headway.api.kill('SIGKILL');
    await until('the client is stale', () => statuses.at(-1) === 'stale');
    await say('log meanwhile', '20', '30', 'log and more');
    await until('the jobs have taken all commands', hasTaken);
    await restartApi();
    await saw('and more');
    await say('end');
    await loops;
    for (const events of seen) {
      const received = saidBy(events);
      expect(received.filter((what) => !what.endsWith('%'))).toEqual([
        'waiting',
        'active',
        'before',
        'meanwhile',
        'and more',
        'completed',
      ]);
      expect(received.filter((what) => what.endsWith('%'))).toEqual(['10 %', '30 %']);
      expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    }
    expect(await results).toEqual([{ attempt: 1 }, { attempt: 1 }]);
    expect(statuses).toEqual(['live', 'stale', 'live', 'ended']);
  });

  it('continues after Redis was killed and restarted from its append-only file', async () => {
    const { seen, loops, say, saw } = await watchTwo();
    await say('log before', '40');
    await saw('40 %');
    await headway.redis.kill('SIGKILL');
    await headway.redis.restart();
    await say('log after', '60', 'end');
    await loops;
    for (const events of seen) {
      expect(saidBy(events)).toEqual(['waiting', 'active', 'before', '40 %', 'after', '60 %', 'completed']);
    }
  });

  it('receives a reset when the channel of one of its jobs was replaced', async () => {
    const { ids, seen, say, saw } = await watchTwo();
    await say('10');
    await saw('10 %');
    // One channel is lost, and the other is unchanged.
    const lost = `headway:{job:${ids[0]}}`;
    expect(await headway.connection.del(lost, `${lost}:log`, `${lost}:slots`)).toBeGreaterThan(0);
    await headway.api.kill('SIGKILL');
    await restartApi();
    await say('log after');
    await saw('after');
    const resets = seen.map((events) => events.filter(({ event }) => event === 'reset').length);
    expect(resets.sort()).toEqual([0, 1]);
    await say('end');
    await saw('completed');
  });

  it('sees each retry of a failed job after restarts of Redis and the API, and gives up a removed job', async () => {
    const { client, connection, redis } = headway;
    const start = (turns: string, keepMs?: number) =>
      client.start('steered', { turns }, { attempts: 1, ...(keepMs ? { keepMs } : {}) });
    const [failed, brief] = [await start('retried'), await start('brief', 1000)];
    await connection.lpush('brief', 'end');
    await connection.lpush('retried', 'fail');
    const watching = createClient({ url: headway.api.url });
    const seen: JobEvent[] = [];
    const problems: unknown[] = [];
    // Both over one connection, which stays open.
    const watched = new AbortController();
    for (const [i, job] of [failed, brief].entries()) {
      watching.watchJob(job, {
        retries: true,
        signal: watched.signal,
        onEvent: (event) => void (i === 0 && seen.push(event)),
        onEnd: (problem) => problems.push(i, problem?.status),
      });
    }
    const store = createJobStore(watching, brief.id, brief.token);
    const stop = store.subscribe(() => {});
    const saw = (...names: string[]) =>
      until(
        () => `the client saw ${names.join(', ')}, not ${seen.map(gist).join(', ')}`,
        () => seen.map(gist).slice(-names.length).join() === names.join(),
      );
    await saw('waiting', 'active', 'failed');
    // Otherwise it could lose the instruction that it is just taking.
    await until('the other job has completed', () => store.get().state === 'completed');
    await redis.kill('SIGKILL');
    await redis.restart();
    await until('the job can be retried', async () => (await client.retry(failed)).status === 202);
    await connection.lpush('retried', 'fail');
    await saw('failed', 'waiting', 'active', 'failed');
    await until('the other job is removed', async () => (await client.get(brief)).status === 410);
    expect(problems).toEqual([]);
    await headway.api.kill('SIGKILL');
    await restartApi();
    // Nobody watches when the next run fails at once.
    await connection.lpush('retried', 'fail');
    expect((await client.retry(failed)).status).toBe(202);
    await saw('failed', 'waiting', 'active', 'failed');
    await until('the removed job is given up', () => problems.length > 0);
    expect(problems).toEqual([1, 410]);
    expect(store.get()).toMatchObject({ state: 'completed', status: 'ended', problem: undefined });
    expect((await client.retry(failed)).status).toBe(202);
    await connection.lpush('retried', 'end');
    await saw('failed', 'waiting', 'active', 'completed');
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    const attempts = seen.flatMap((event) => (event.event === 'active' ? [event.data.attempt] : []));
    expect(attempts).toEqual([1, 2, 3, 4]);
    watched.abort();
    stop();
  });

  it('that has to poll is stale while Redis is away, and polls on when Redis is back', async () => {
    const { api, connection, redis } = headway;
    const proxy = await startCutProxy(api.url);
    onTestFinished(() => proxy.stop());
    proxy.fault = (req) => (req.headers.accept === 'text/event-stream' ? 'withhold' : 'pass');
    const statuses: Status[] = [];
    const seen: JobEvent[] = [];
    const job = await createClient<AnyJobs>({ url: proxy.url, mutedMs: 300 }).startJob('steered', {
      turns: 'polled',
    });
    const ended = new Promise<void>((resolve) => {
      job.watch({
        onEvent: (event) => void seen.push(event),
        onStatus: (status) => void statuses.push(status),
        onEnd: () => resolve(),
      });
    });
    await until('the client is live', () => statuses.at(-1) === 'live');
    await connection.lpush('polled', 'log before');
    await until('the client saw it', () => seen.map(gist).includes('before'));
    await redis.kill('SIGKILL');
    const killedAt = performance.now();
    await until('the client is stale', () => statuses.at(-1) === 'stale');
    expect(performance.now() - killedAt).toBeLessThan(5000);
    await redis.restart();
    await until('the client is live again', () => statuses.at(-1) === 'live');
    await connection.lpush('polled', 'log after');
    await connection.lpush('polled', 'end');
    await ended;
    expect(saidBy(seen)).toEqual(['waiting', 'active', 'before', 'after', 'completed']);
    // The service's answers got through all the time, so no stream was tried again.
    expect(proxy.seen.filter((line) => /events(?!.*wait=)/.test(line))).toHaveLength(1);
  });

  it('reports each retry when the service is unreachable, and gives up within seconds', async () => {
    const { url } = headway.api;
    await headway.api.kill('SIGKILL');
    const retries: Array<[string, boolean]> = [];
    const begun = Date.now();
    const error = await createClient({ url })
      .startJob(
        'steps',
        { count: 1, intervalMs: 1 },
        { onRetry: ({ message }, inMs) => void retries.push([message, inMs <= 4000]) },
      )
      .catch((error) => error);
    const message = `Cannot reach ${url}/v1/jobs (ECONNREFUSED).`;
    expect(error).toMatchObject({ code: 'unreachable', status: 0, message });
    expect(retries).toEqual(Array(3).fill([message, true]));
    expect(Date.now() - begun).toBeLessThan(9000);
    await restartApi();
  });

  it("starts a visitor's first job before all others, across all clients of a page", async () => {
    // An address at which the tests before have started no job.
    const url = headway.api.url.replace('127.0.0.1', 'localhost');
    let cookie: string | undefined;
    // Like a browser, this fetch keeps the last cookie.
    const browser: typeof fetch = async (input, init) => {
      const headers = new Headers(init?.headers);
      if (cookie) headers.set('Cookie', cookie);
      const response = await fetch(input, { ...init, headers });
      const line = response.headers.getSetCookie().find((text) => text.startsWith('headway_visitor='));
      cookie = line?.split(';')[0] ?? cookie;
      return response;
    };
    const start = () => createClient({ url, fetch: browser }).startJob('steps', { count: 1, intervalMs: 1 });
    const jobs = await Promise.all([start(), start(), start()]);
    const { jobs: mine } = (await (await browser(`${url}/v1/jobs`)).json()) as {
      jobs: Array<{ id: string }>;
    };
    expect(mine.map(({ id }) => id).sort()).toEqual(jobs.map(({ id }) => id).sort());
  });

  it('starts a job once although the first response is a 503', async () => {
    // The number of the last job of a queue.
    const count = async (): Promise<number> => Number(await headway.connection.get('{headway}:steps:id'));
    const before = await count();
    await headway.redis.kill('SIGKILL');
    const client = createClient({ url: headway.api.url });
    const started = client.startJob('steps', { count: 1, intervalMs: 1 });
    await headway.redis.restart();
    expect(await (await started).result()).toEqual({ steps: 1 });
    expect(await count()).toBe(before + 1);
  });
});

describe('a connection', () => {
  let server: Server;
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  /** A service that answers requests with the given responses in order, and repeats the last one. */
  async function answering(...answers: Array<(res: ServerResponse) => void>) {
    const requests: Array<Record<string, string | string[] | undefined>> = [];
    server = createServer((req, res) => {
      answers[Math.min(requests.push(req.headers) - 1, answers.length - 1)]!(res);
    }).listen(0, '127.0.0.1');
    await until('the server is listening', () => server.listening);
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
  }
  const stream =
    (text: string, end = true) =>
    (res: ServerResponse): void => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      res.write(text);
      if (end) res.end();
    };
  const END = 'id: e-2\nevent: completed\ndata: {"result":1}\n\n';

  it('is replaced after too long a silence, and resumes at its position', async () => {
    const { url, requests } = await answering(
      stream('retry: 10\n\nid: e-1\nevent: active\ndata: {}\n\n', false),
      stream(END),
    );
    const statuses: Status[] = [];
    const job = createClient({ url, silenceMs: 100 }).watchJob('x.1', {
      onStatus: (status) => void statuses.push(status),
    });
    await until('the stream has ended', () => statuses.at(-1) === 'ended');
    expect(statuses).toEqual(['live', 'stale', 'live', 'ended']);
    expect(requests.map((headers) => headers['last-event-id'])).toEqual([undefined, 'e-1']);
    expect(job.id).toBe('x.1');
  });

  it('does not reconnect in a loop, whatever a publisher sends', async () => {
    const { url, requests } = await answering(
      ...Array(5).fill(stream(`retry: 0\n\nid: e-1\nevent: active\ndata: {}\n\n`)),
      stream(END),
    );
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const begun = Date.now();
    expect(await createClient({ url }).watchJob('x.1').result()).toBe(1);
    random.mockRestore();
    expect(requests).toHaveLength(6);
    // Five waits of 250 ms each, because Math.random returns 0.5.
    expect(Date.now() - begun).toBeGreaterThan(1000);
  });

  it('stays open while there are heartbeats', async () => {
    let beats = 0;
    const { url, requests } = await answering((res) => {
      stream('retry: 10\n\n', false)(res);
      const timer = setInterval(() => {
        res.write(++beats < 10 ? ': \n\n' : END);
        if (beats >= 10) clearInterval(timer);
      }, 50);
    });
    expect(await createClient({ url, silenceMs: 250 }).watchJob('x.1').result()).toBe(1);
    expect(requests).toHaveLength(1);
  });

  it('becomes stale when a promised heartbeat is missing, and live when it arrives; without a promise it stays live', async () => {
    const answers: ServerResponse[] = [];
    const begun = (res: ServerResponse): void => {
      answers.push(res);
      stream('retry: 10\n\nid: e-1\nevent: active\ndata: {}\n\n: next 50\n\n', false)(res);
    };
    const { url, requests } = await answering(begun, begun, (res) => {
      stream(': \n\n', false)(res);
      setTimeout(() => res.end(END), 1100);
    });
    const statuses: Status[] = [];
    const job = createClient({ url, silenceMs: 1500 }).watchJob('x.1');
    job.watch({ onStatus: (status) => void statuses.push(status) });
    await until('the client is stale', () => statuses.at(-1) === 'stale');
    answers[0]!.write(': next 50\n\n');
    await until('the client is live again', () => statuses.at(-1) === 'live');
    // Two silences in a row: the third connection is to a service that promises no heartbeats.
    await until('a third connection is opened', () => requests.length === 3);
    await until('the stream has ended', () => statuses.at(-1) === 'ended');
    expect(statuses).toEqual(['live', 'stale', 'live', 'stale', 'live', 'stale', 'live', 'ended']);
  });

  it('is repeated after a 503, a 429 and a broken response, and ends with a 204', async () => {
    let refusedAt = 0;
    let waitedMs = 0;
    const { url, requests } = await answering(
      (res) => res.writeHead(503).end('<h1>Bad gateway</h1>'),
      (res) => {
        refusedAt = performance.now();
        res.writeHead(429, { 'Retry-After': '1' }).end();
      },
      (res) => {
        waitedMs = performance.now() - refusedAt;
        res.destroy();
      },
      stream('retry: 10\n\nid: e-1\nevent: active\ndata: {}\n\n'),
      (res) => res.writeHead(204).end(),
    );
    const seen: string[] = [];
    for await (const { event } of createClient({ url }).watchJob('x.1')) seen.push(event);
    expect(seen).toEqual(['active']);
    expect(requests).toHaveLength(5);
    // A limit that is reached says when to come back.
    expect(waitedMs).toBeGreaterThan(990);
  });

  it('ends with a problem if the response is not a stream', async () => {
    const { url } = await answering((res) =>
      res.writeHead(200, { 'Content-Type': 'text/html' }).end('Log in'),
    );
    await expect(createClient({ url }).watchJob('x.1').result()).rejects.toMatchObject({
      code: 'not-a-stream',
    });
  });

  it.each([401, 403, 404, 410])('ends with the problem of a %i response', async (status) => {
    const { url, requests } = await answering((res) =>
      res
        .writeHead(status, { 'Content-Type': 'application/problem+json' })
        .end(JSON.stringify({ status, code: 'a-code', detail: 'Why.' })),
    );
    const job = createClient({ url }).watchJob('x.1');
    await expect(job.result()).rejects.toMatchObject({ status, code: 'a-code', message: 'Why.' });
    expect(requests).toHaveLength(1);
  });
});
