import { Redis } from 'ioredis';
import type { Browser, Locator } from 'playwright-core';
import { expect } from 'vitest';
import { startBrowser } from './browser.js';
import { clientOf, type StartedJob } from './client.js';
import { block } from './documentation.js';
import { type RunningCommand, runCommand, runToEnd } from './example.js';
import { temporaryFolder } from './folder.js';
import { recipeProject } from './recipe-project.js';
import { freePort, startRedis, type TestRedis } from './redis.js';
import { openStream, type TestStream } from './sse.js';
import { until } from './until.js';

/** Long enough that the job still runs when its page has been reloaded. */
const NAMES = Array.from({ length: 12 }, (_, i) => `'Name ${i}'`).join();
/** A development server compiles on the first request. */
const COMPILE_MS = 90_000;

/** A project of a page of docs/getting-started, with its worker, Redis and a browser. */
export interface Recipe {
  folder: string;
  redis: TestRedis;
  /** Writes a file of the project. */
  write(path: string, content: string): void;
  /** Returns a code block of the documentation with the address of the Redis of this test. */
  said(name: string): string;
  /** Runs a command of the project to its end. */
  run(command: string): Promise<void>;
  /** Starts a command that serves a port, given as `{port}`. Resolves when it does. @param base the path before `/v1` */
  serve(command: string, base?: string): Promise<Served>;
  /** Uses the page as a visitor does. Afterwards, nobody follows the jobs. */
  use(url: string): Promise<void>;
  /** Checks what a proxy or a framework in between may spoil: streams, uploads, cookies. */
  checkHttp(server: Served): Promise<void>;
  /** Counts the connections to Redis. */
  connections(): Promise<number>;
  stop(): Promise<void>;
}

/** A server of a recipe. */
export type Served = ReturnType<typeof runCommand> & { url: string; base: string };

/** @param name the folder in test/recipes @param files the code block of each file */
export async function startRecipe(name: string, files: Record<string, string>): Promise<Recipe> {
  const project = recipeProject(name);
  const [redis, browser] = await Promise.all([startRedis(), startBrowser()]);
  const connection = new Redis(redis.url);
  const running: RunningCommand[] = [];
  const env = {
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'a secret for tests that is long enough',
    NO_COLOR: '1',
    NEXT_TELEMETRY_DISABLED: '1',
    NUXT_TELEMETRY_DISABLED: '1',
  };
  const said = (code: string): string =>
    block(code)
      .replaceAll('redis://127.0.0.1:6379', redis.url)
      .replaceAll("'Ada', 'Grace', 'Alan', 'Edsger'", NAMES);
  const start = (command: string) => {
    const started = runCommand(
      `cd ${project.folder} && export PATH=$PWD/node_modules/.bin:$PATH && exec ${command}`,
      env,
    );
    running.push(started);
    return started;
  };
  for (const [path, code] of Object.entries(files)) project.write(path, said(code));
  start(`node ${Object.keys(files).find((path) => path.endsWith('worker.mjs'))}`);

  return {
    ...project,
    redis,
    said,
    run: async (command) =>
      void (await runToEnd(`cd ${project.folder} && node_modules/.bin/${command}`, env)),
    async serve(command, base = '') {
      const port = await freePort();
      const server = start(command.replaceAll('{port}', String(port)));
      const url = `http://localhost:${port}`;
      await until(
        () => `${url} is served: ${server.output()}`,
        async () => (await fetch(`${url}${base}/v1/definitions`).catch(() => undefined))?.ok,
        COMPILE_MS,
      );
      return { ...server, url, base };
    },
    use: (url) => use(browser, url, connection),
    checkHttp,
    connections: async () =>
      String(await connection.client('LIST'))
        .trim()
        .split('\n').length,
    async stop() {
      connection.disconnect();
      await browser.close();
      await Promise.all(running.map((each) => each.stop('SIGKILL')));
      await redis.stop();
    },
  };
}

const percentOf = async (bar: Locator): Promise<number> => {
  const [now, value] = [await bar.getAttribute('aria-valuenow'), await bar.getAttribute('value')];
  return Number(now ?? value ?? 0);
};

async function use(browser: Browser, url: string, redis: Redis): Promise<void> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints: string[] = [];
  let starts = 0;
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on(
    'request',
    (request) => request.method() === 'POST' && request.url().endsWith('/v1/jobs') && starts++,
  );
  await page.goto(url);
  const start = async (): Promise<void> => {
    const before = starts;
    // Before the framework has attached its listeners, a click does nothing.
    await until('the button works', async () => {
      if (starts === before) await page.getByRole('button', { name: 'Start' }).click();
      // Development servers reload a page when they find packages that they have to prepare.
      await page.evaluate(() => new Promise(requestAnimationFrame)).catch(() => {});
      return starts > before;
    });
  };
  const bar = (): Locator => page.getByRole('progressbar').first();
  const watch = async (end: number): Promise<number[]> => {
    const seen: number[] = [];
    await until(
      `the bar is at ${end}`,
      async () => {
        if ((await bar().count()) > 0) seen.push(await percentOf(bar()));
        return (seen.at(-1) ?? 0) >= end;
      },
      COMPILE_MS,
    );
    return seen.filter((percent) => percent > 0);
  };

  await start();
  const before = await watch(15);
  expect(await followedJobs(redis)).toHaveLength(1);
  await page.reload();
  const after = await watch(100);
  expect(after[0]).toBeGreaterThanOrEqual(before.at(-1)!);
  expect(after[0]).toBeLessThan(100);
  expect(new Set(after).size).toBeGreaterThan(3);
  expect(after).toEqual([...after].sort((a, b) => a - b));

  await start();
  await page.getByRole('button', { name: 'Cancel' }).click({ timeout: 20_000 });
  await until('it is cancelled', () =>
    page
      .getByText(/cancelled/i)
      .first()
      .isVisible(),
  );
  expect(complaints).toEqual([]);
  await context.close();
  await until('nobody follows a job', async () => (await followedJobs(redis)).length === 0);
}

/** The jobs with a subscription, which are those that somebody watches. */
const followedJobs = async (redis: Redis): Promise<string[]> =>
  (await redis.call('PUBSUB', 'SHARDCHANNELS', '*{job:greet.*}')) as string[];

/** Starts a job that does not begin, and watches it: what anything in between holds back does not arrive. */
async function watchDelayedJob({ url, base }: Served): Promise<TestStream> {
  const body = { name: 'greet', data: { names: ['Ada'] }, options: { delayMs: 600_000 } };
  const answer = await until('a job is started', async () => {
    const answer = await clientOf(url + base).post(body);
    // A development server may compile meanwhile, so that Headway counts as overloaded.
    return answer.status === 503 ? undefined : answer;
  });
  expect(answer.status).toBe(202);
  expect(answer.headers.getSetCookie().join()).toContain('headway_visitor=');
  const job = (await answer.json()) as StartedJob;
  const headers = { 'Accept-Encoding': 'gzip, deflate, br' };
  const stream = await openStream(`${url}${job.links.events}`, { token: job.token, headers });
  await stream.waitFor('delayed', 5000);
  return stream;
}

async function checkHttp(server: Served): Promise<void> {
  const url = server.url + server.base;
  const stream = await watchDelayedJob(server);
  expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(stream.headers['content-encoding']).toBeUndefined();
  expect(stream.headers['cache-control']).toBe('no-cache, no-transform');
  stream.close();
  const content = Buffer.alloc(2 * 1024 * 1024, 'x');
  const uploaded = await fetch(`${url}/v1/files?name=a.bin`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: content,
  });
  expect([uploaded.status, await uploaded.json()]).toMatchObject([201, { size: content.length }]);
  const none = await fetch(`${url}/v1/jobs/greet.none`);
  expect([none.status, none.headers.get('content-type')]).toEqual([
    404,
    expect.stringContaining('problem+json'),
  ]);
}

/** Checks the path of channels and, if the recipe has one, another path of all routes. */
export async function checkPaths({ url, base }: Served, basePath?: string): Promise<void> {
  const channel = await openStream(`${url}${base}/stream?channel=public.score`);
  // In production, only tokens give access to channels.
  expect([200, 401]).toContain(channel.status);
  expect(channel.headers['x-request-id']).toBeDefined();
  channel.close();
  if (basePath === undefined) return;
  const answer = await clientOf(`${url}${basePath}`).post({ name: 'greet', data: { names: [] } });
  expect(answer.headers.get('location')).toMatch(new RegExp(`^${basePath}/v1/jobs/greet`));
  expect(answer.headers.getSetCookie().join()).toContain(`Path=${basePath};`);
}

/** Checks that a server ends after SIGTERM while somebody watches a job. @param withinMs how long it may take */
export async function checkStop(server: Served): Promise<void> {
  const stream = await watchDelayedJob(server);
  const stoppedAt = performance.now();
  const stopped = server.stop('SIGTERM');
  await stream.ended;
  await stopped;
  expect(performance.now() - stoppedAt).toBeLessThan(15_000);
  // Headway has told the viewer when to reconnect, so it was closed and not cut off.
  expect(stream.raw()).toMatch(/\nretry: \d+\n\n$/);
  expect([0, 143]).toContain(await server.exited);
}

/** Lets the development server load a module again. Resolves when it has. */
export async function reload(recipe: Recipe, server: Served, path: string, code: string): Promise<void> {
  recipe.write(path, `${recipe.said(code)}\nconsole.log('loaded again');\n`);
  await until(
    'the module is loaded again',
    async () => {
      await fetch(`${server.url}/v1/definitions`).catch(() => undefined);
      return server.output().includes('loaded again');
    },
    COMPILE_MS,
  );
}
