import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../scripts/lib/command.mjs';
import { startBrowser } from '../support/browser.js';
import { clientOf, type StartedJob } from '../support/client.js';
import { block } from '../support/documentation.js';
import { temporaryFolder } from '../support/folder.js';
import { jobsDir } from '../support/jobs.js';
import { type ManyMachines, startManyMachines } from '../support/many-machines.js';
import { openPage, takePictures } from '../support/page.js';
import { openStream, type ReceivedEvent } from '../support/sse.js';
import { until } from '../support/until.js';
import { proxyProgram } from '../support/web-proxies.js';

/** As many as two workers run at the same time, so that both of them have some. */
const JOBS = 8;
/** Of each job, so that they are spread over the API processes. */
const VIEWERS = 2;
/** How long a lost worker, or a lost master, may take to be replaced, in ms. */
const REPLACED_MS = 90_000;
/** How long the import may take, in ms. */
const IMPORT_MS = 240_000;
const APIS = [3001, 3002, 3003];

/** Watches a job until the server has nothing more, as a browser does. Resolves to all that it got. */
async function watch(url: string, job: StartedJob): Promise<ReceivedEvent[]> {
  const events: ReceivedEvent[] = [];
  let retryMs = 1000;
  for (;;) {
    const lastEventId = events.findLast(({ id }) => id)?.id;
    const stream = await openStream(`${url}${job.links.events}`, { token: job.token, lastEventId }).catch(
      () => undefined,
    );
    if (stream?.status === 204) return events;
    await stream?.ended;
    if (stream?.status === 200) events.push(...stream.events);
    retryMs = stream?.retry ?? retryMs;
    await sleep(retryMs);
  }
}

// Only in npm run test:deploy: it takes minutes, and most of the machine.
const isPresent = ['redis-server', 'redis-cli'].every((name) => findProgram(name)) && proxyProgram('nginx');
describe.skipIf(process.env.TEST_DEPLOY !== '1' || !isPresent)('the commands of many-machines.md', () => {
  let many: ManyMachines;
  let browser: Browser;
  beforeAll(async () => {
    [many, browser] = await Promise.all([
      startManyMachines({ JOBS_DIR: jobsDir('until-file'), JOB_LOG_LINES: '50000' }),
      startBrowser(),
    ]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await many?.stop();
  });

  /** Returns the worker that has a copy of an uploaded file. */
  function workerWithFile(): string {
    const worker = [1, 2].find((one) => {
      const copies = many.path(`worker-${one}/files/copies`);
      if (!existsSync(copies)) return false;
      return readdirSync(copies, { recursive: true, withFileTypes: true }).some((entry) => entry.isFile());
    });
    if (worker === undefined) throw new Error('no worker has a copy of the file');
    return `worker ${worker}`;
  }

  it('starts an installation in which doctor finds no problem', () => {
    expect(many.doctor).toContain('3 masters, 6 nodes, 16384 of 16384 slots served');
    expect(many.doctor).toContain('each kind of job has a worker');
    expect(many.doctor).not.toMatch(/^(problem|warning)/m);
  });

  it('a bar moves on the page, and viewers miss nothing, while API processes, a worker and a master are killed', async () => {
    await many.run(block('many-csv'));
    const end = join(temporaryFolder(), 'end');
    const client = clientOf(many.url);
    const jobs: StartedJob[] = [];
    while (jobs.length < JOBS) jobs.push(await client.start('until-file', { file: end }));
    expect(new Set(jobs.map(({ id }) => id.includes('~s1'))).size).toBe(2);
    const viewers = jobs.flatMap((job) => Array.from({ length: VIEWERS }, () => watch(many.url, job)));

    const { page } = await openPage(browser, many.url);
    const progress = async (): Promise<number> =>
      Number((await page.getByRole('progressbar').first().getAttribute('aria-valuenow')) ?? -1);
    const moves = async (): Promise<void> => {
      const before = await progress();
      await until('the bar moves', async () => (await progress()) > before, REPLACED_MS);
    };
    await page.getByRole('radio', { name: /^csv-import/ }).check();
    await page.locator('input[type=file]').setInputFiles(many.path('customers.csv'));
    await page.getByRole('button', { name: 'Start the job' }).click();
    await until('the bar moves', async () => (await progress()) > 0, REPLACED_MS);

    for (const port of APIS) {
      await many.end(`api ${port}`);
      await moves();
      await many.start(`api ${port}`);
      await many.ready(port);
    }
    const worker = workerWithFile();
    await many.end(worker);
    await many.start(worker);
    await page.getByText('Running, attempt 2').first().waitFor({ timeout: REPLACED_MS });
    await until('the bar begins again', async () => (await progress()) > 0, REPLACED_MS);
    await takePictures(page, 'second-attempt');
    // The master of the jobs in the first shard.
    await many.end('redis 7002');
    await moves();
    await many.start('redis 7002');

    const link = page.getByRole('link', { name: /customers\.sqlite/ });
    await link.waitFor({ timeout: IMPORT_MS });
    expect(await progress()).toBe(100);
    await takePictures(page, 'completed');
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    const database = readFileSync(await download.path());
    expect(database.subarray(0, 15).toString()).toBe('SQLite format 3');

    writeFileSync(end, '');
    const seen = await Promise.all(viewers);
    for (const [i, events] of seen.entries()) {
      const { lines: last } = (await (await client.result(jobs[Math.floor(i / VIEWERS)]!)).json()) as {
        lines: number;
      };
      expectWhole(events, last);
    }
    // Both workers had jobs.
    const attempts = seen.map((events) => events.at(-1)!.data.attempt as number);
    expect(new Set(attempts)).toEqual(new Set([1, 2]));
  }, 600_000);
});

/** Checks that a viewer of `until-file` has seen each line of each attempt and the end once. @param last the last line */
function expectWhole(all: ReceivedEvent[], last: number): void {
  // Redis replicates without waiting: what a killed master has not replicated is sent again after a reset.
  const events = all.slice(all.findLastIndex(({ event }) => event === 'reset') + 1);
  expect(events.filter(({ event }) => event === 'completed')).toHaveLength(1);
  expect(events.at(-1)!.event).toBe('completed');
  const ids = events.flatMap(({ id }) => id ?? []);
  expect(new Set(ids).size).toBe(ids.length);
  const logs = events.filter(({ event }) => event === 'log').map(({ data }) => data);
  const final: number = events.at(-1)!.data.attempt;
  for (let attempt = 1; attempt <= final; attempt++) {
    const lines = logs
      .filter((log) => log.attempt === attempt)
      .map(({ message }) => Number(message.slice(5)));
    // After a reset, a viewer gets only the last lines of the log.
    const first = events.length === all.length ? 1 : lines[0]!;
    const end = attempt === final ? last : lines.at(-1)!;
    expect(lines).toEqual(Array.from({ length: end - first + 1 }, (_, i) => first + i));
  }
}
