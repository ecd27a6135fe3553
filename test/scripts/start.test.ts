import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { clientOf } from '../support/client.js';
import { processesOf, temporaryFolder } from '../support/processes.js';
import { freePort, startRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

interface Started {
  child: ChildProcess;
  output(): string;
  exited: Promise<number | null>;
}

const running = new Set<ChildProcess>();

/** Runs `npm start` in the way npm does. */
function start(env: Record<string, string>, ...args: string[]): Started {
  const child = spawn(process.execPath, ['scripts/start.mjs', ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
  const exited = once(child, 'close').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, output: () => output, exited };
}

const ready = (started: Started): Promise<string> =>
  until('it is ready', () => /Headway is ready: (\S+)\//.exec(started.output())?.[1], 40_000);

/** Whether a process is a Redis server. */
function isRedis(pid: number): boolean {
  try {
    return /^\S*(redis|valkey)-server/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function stop(started: Started): Promise<void> {
  started.child.kill('SIGINT');
  expect(await started.exited).toBe(0);
}

describe('npm start', () => {
  afterEach(async () => {
    for (const child of running) child.kill('SIGINT');
    await until('everything has ended', () => running.size === 0);
  });

  it.each([
    ['while it starts', (dataDir: string) => processesOf(dataDir).some(isRedis)],
    ['while its job runs', (_dataDir: string, output: string) => output.includes('Started csv-import')],
  ])('leaves no process behind when the demo is ended with Ctrl-C %s', async (_when, reached) => {
    const DATA_DIR = join(temporaryFolder(), 'data');
    const started = start({ DATA_DIR }, '--demo');
    await until('the demo has reached that point', () => reached(DATA_DIR, started.output()));
    started.child.kill('SIGINT');
    expect(await started.exited).toBe(130);
    expect(processesOf(DATA_DIR)).toEqual([]);
  });

  it('keeps jobs across a restart, even after it was killed, and exits at once at a second Ctrl-C', async () => {
    const env = { DATA_DIR: temporaryFolder() };
    const first = start(env);
    const before = clientOf(await ready(first));
    const done = await before.start('steps', { count: 1, intervalMs: 1 });
    await (await openStream(before.events(done), { token: done.token })).waitFor('completed');
    const waiting = await before.start('steps', { count: 1, intervalMs: 1 }, { delayMs: 60_000 });
    first.child.kill('SIGKILL');
    await first.exited;

    const second = start(env);
    const after = clientOf(await ready(second));
    const stateOf = async (job: StartedJob): Promise<unknown> =>
      ((await (await after.get(job)).json()) as { state: string }).state;
    expect(await stateOf(done)).toBe('completed');
    expect(await stateOf(waiting)).toBe('delayed');

    const job = await after.start('steps', { count: 1000, intervalMs: 100 });
    await (await openStream(after.events(job), { token: job.token })).waitFor('progress');
    second.child.kill('SIGINT');
    await until('it prints that it is stopping', () => second.output().includes('Ctrl-C again'));
    // A Ctrl-C within half a second of the first counts as npm's copy of it.
    const again = setInterval(() => second.child.kill('SIGINT'), 100);
    expect(await second.exited).toBe(1);
    clearInterval(again);
    await until('no process is left', () => processesOf(env.DATA_DIR).length === 0);
  });

  it('waits for the Redis of REDIS_URL, and can be stopped meanwhile', async () => {
    const DATA_DIR = temporaryFolder();
    const REDIS_URL = `redis://127.0.0.1:${await freePort()}`;
    const started = start({ DATA_DIR, REDIS_URL });
    for (const name of ['api   ', 'worker']) {
      const line = `${name} | warning: waiting for Redis at ${REDIS_URL}: connect ECONNREFUSED`;
      await until('it says what it waits for', () => started.output().includes(line), 40_000);
    }
    started.child.kill('SIGINT');
    expect(await started.exited).toBe(0);
    expect(processesOf(DATA_DIR)).toEqual([]);
  });

  it('starts no Redis of its own if REDIS_URL_FILE is set, and prints no password if there is none', async () => {
    const redis = await startRedis();
    const DATA_DIR = temporaryFolder();
    const env = {
      DATA_DIR,
      REDIS_URL_FILE: join(DATA_DIR, 'redis-url'),
      NODE_ENV: 'production',
      TOKEN_SECRET: 'a secret for tests that is long enough',
    };
    writeFileSync(env.REDIS_URL_FILE, `${redis.url}\n`);
    const started = start(env);
    await ready(started);
    const commands = processesOf(env.DATA_DIR).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
    expect(commands.filter((command) => /redis-server|valkey/.test(command))).toEqual([]);
    await until('the whole text is printed', () => started.output().includes('Ctrl-C stops it.'));
    expect(started.output()).not.toContain('password');
    await stop(started);
    await redis.stop();
  });

  it.each([
    [
      'the port is in use',
      async () => {
        const server = createServer().listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { port } = server.address() as { port: number };
        return {
          env: { PORT: String(port) },
          says: new RegExp(`PORT: .*${port}`),
          end: () => server.close(),
        };
      },
    ],
    [
      'the data folder is not writable',
      async () => {
        const file = join(temporaryFolder(), 'file');
        writeFileSync(file, '');
        return {
          env: { DATA_DIR: join(file, 'data') },
          says: /DATA_DIR: the data folder .* is not writable/,
        };
      },
    ],
    [
      'a setting is wrong',
      async () => ({ env: { WORKER_CONCURRENCY: 'many' }, says: /WORKER_CONCURRENCY: .*"many"/ }),
    ],
    [
      'a job file is broken',
      async () => {
        const JOBS_DIR = join(temporaryFolder(), 'jobs');
        mkdirSync(JOBS_DIR);
        writeFileSync(join(JOBS_DIR, 'bad.js'), 'export default 1;');
        return { env: { JOBS_DIR }, says: /the job file .*bad\.js must default-export a job definition/ };
      },
    ],
  ] as Array<[string, () => Promise<{ env: Record<string, string>; says: RegExp; end?: () => unknown }>]>)(
    'prints one line and exits with an error when %s',
    async (_what, prepare) => {
      const { env, says, end } = await prepare();
      const DATA_DIR = temporaryFolder();
      const started = start({ DATA_DIR, ...env });
      expect(await started.exited).not.toBe(0);
      expect(started.output()).toMatch(says);
      expect(started.output()).not.toMatch(/^\s+at /m);
      expect(processesOf(DATA_DIR)).toEqual([]);
      await end?.();
    },
  );
});

describe('npm start that is up', () => {
  const DATA_DIR = temporaryFolder();
  let started: Started;
  let url: string;
  beforeAll(async () => {
    started = start({ DATA_DIR, PORT: String(await freePort()) });
    url = await ready(started);
  });
  afterAll(async () => {
    for (const child of running) child.kill('SIGINT');
    await until('everything has ended', () => running.size === 0);
  });

  it('serves the page and runs a job', async () => {
    expect(await (await fetch(url)).text()).toContain('<div id="app">');
    const client = clientOf(url);
    const job = await client.start('steps', { count: 3, intervalMs: 1 });
    await (await openStream(client.events(job), { token: job.token })).waitFor('completed');
  });

  it('prints the address of the board and the file with its password, and both work', async () => {
    const line = await until('the line is there', () =>
      /Queues, for admins: (\S+) \(any user name; the password is in ([^)]+)\)/.exec(started.output()),
    );
    const [, board, passwordFile] = line;
    expect((await fetch(board!)).status).toBe(401);
    const password = readFileSync(passwordFile!, 'utf8').trim();
    const headers = { Authorization: `Basic ${Buffer.from(`any name:${password}`).toString('base64')}` };
    expect((await fetch(board!, { headers })).status).toBe(200);
    const queues = await fetch(`${board}/api/queues`, { headers });
    expect(await queues.json()).toMatchObject({
      queues: expect.arrayContaining([expect.objectContaining({ name: 'steps' })]),
    });
  });

  it('restarts a killed API; a returning viewer sees the job complete', async () => {
    const client = clientOf(url);
    const job = await client.start('steps', { count: 20, intervalMs: 100 });
    const stream = await openStream(client.events(job), { token: job.token });
    await stream.waitFor('progress');
    const api = processesOf(DATA_DIR).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('dist/api'),
    )!;
    process.kill(api, 'SIGKILL');
    await stream.ended;
    await until('the API is back', () =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const again = await openStream(client.events(job), {
      token: job.token,
      lastEventId: stream.lastEventId(),
    });
    await again.waitFor('completed');
    expect(started.output()).toMatch(/api +\| ended \(SIGKILL\); starts again in 250 ms/);
  });

  it('refuses a second one with the same data folder in one line, and goes on', async () => {
    const before = processesOf(DATA_DIR);
    const other = start({ DATA_DIR });
    expect(await other.exited).not.toBe(0);
    expect(other.output()).toMatch(/Headway already runs with the data folder/);
    expect(other.output()).not.toMatch(/^\s+at /m);
    expect(processesOf(DATA_DIR)).toEqual(before);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  // The last one: it stops everything.
  it('stops worker, API and Redis in that order on Ctrl-C', async () => {
    const children = processesOf(DATA_DIR).filter((pid) => pid !== started.child.pid);
    // The fourth process is the guard, which ends Redis if the supervisor is killed.
    expect(children).toHaveLength(4);
    const pidOf = (name: string): number =>
      children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(name))!;
    const [worker, api, redis] = [pidOf('dist/worker'), pidOf('dist/api'), children.find(isRedis)!];
    const stopping = stop(started);
    await until('Redis has ended', () => {
      // Checked from the last to the first: when a process has ended, those before it must have ended earlier.
      const [redisLives, apiLives, workerLives] = [redis, api, worker].map(lives);
      if (!apiLives) expect(workerLives).toBe(false);
      if (!redisLives) expect(apiLives).toBe(false);
      return !redisLives;
    });
    await stopping;
    expect(processesOf(DATA_DIR)).toEqual([]);
  });
});
