import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { commandOf, type RunningCommand, runCommand, runToEnd, startServer } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { openPage, takePictures } from '../support/page.js';
import { temporaryFolder } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

/** Celery gives a task to another worker after this time, in s. */
const VISIBILITY_TIMEOUT = 2;

describe.skipIf(process.env.WITHOUT_CELERY)('examples/celery: the progress of a Celery task', () => {
  let headway: Headway;
  let browser: Browser;
  let server: RunningCommand & { url: string };
  let env: Record<string, string>;
  const workers: RunningCommand[] = [];
  const folder = temporaryFolder();
  beforeAll(async () => {
    // Packing these files takes a few seconds.
    for (let i = 0; i < 20; i++)
      writeFileSync(join(folder, `${i}.txt`), randomBytes(100_000).toString('hex'));
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    env = {
      REDIS_URL: headway.redis.url,
      VISIBILITY_TIMEOUT: String(VISIBILITY_TIMEOUT),
      TMPDIR: temporaryFolder(),
    };
    server = await startServer(commandOf('celery', 'serve'), { HEADWAY_URL: headway.api.url });
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all([server, ...workers].map((running) => running.stop('SIGKILL')));
    await headway.stop();
  });

  const startWorker = (): RunningCommand => {
    const worker = runCommand(commandOf('celery', 'worker'), env);
    workers.push(worker);
    return worker;
  };
  /** Starts the task with the command of the README. @returns the query of the page that the command prints */
  async function startTask(of: string): Promise<string> {
    const command = commandOf('celery', 'start').replace(' node_modules/typescript', ` ${of}`);
    const printed = await runToEnd(command, env);
    return /^http:\/\/127\.0\.0\.1:8080\/(\?channel=public\.celery\.\S+)$/m.exec(printed)![1]!;
  }

  it('moves the bar to its end although its worker and its viewer die', async () => {
    const query = await startTask(folder);
    const { page, complaints } = await openPage(browser, `${server.url}/${query}`);
    await page.getByText('Waiting for a worker.').waitFor();
    const first = startWorker();
    const url = `${headway.api.url}/stream${query}&last=100`;
    const before = await openStream(url);
    const moves = (n: number) =>
      before.waitFor(
        ({ event, data }) => event === 'progress' && data.attempt === n && data.percent > 10,
        40_000,
      );
    await moves(1);
    // First kill the process that runs the task, then the whole worker.
    const { data: begun } = await before.waitFor('log');
    process.kill(Number(/process (\d+)$/.exec(begun.message)![1]), 'SIGKILL');
    await moves(2);
    await first.stop('SIGKILL');
    const lastEventId = before.lastEventId();
    before.close();
    await until('Celery has given the task to another worker', async () => {
      const [, deliveredAt] = await headway.connection.zrange('unacked_index', '0', '0', 'WITHSCORES');
      return Date.now() / 1000 - Number(deliveredAt) > VISIBILITY_TIMEOUT;
    });
    startWorker();

    const after = await openStream(url, { lastEventId });
    await after.waitFor('completed', 40_000);
    await after.ended;
    const events = [...before.events, ...after.events];
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const reconciler = events.filter(({ event }) => event !== 'progress' && event !== 'log');
    expect(reconciler.map(({ event, data }) => `${event} ${data.attempt}`)).toEqual([
      'waiting 0',
      'active 1',
      'stalled 1',
      'active 2',
      'stalled 2',
      'active 3',
      'completed 3',
    ]);
    const attempt = (n: number) =>
      events.filter(({ event, data }) => event === 'progress' && data.attempt === n);
    for (const n of [1, 2, 3]) {
      const percents = attempt(n).map(({ data }) => data.percent);
      expect(percents).toEqual([...percents].sort((a, b) => a - b));
    }
    expect(attempt(3).at(-1)!.data).toMatchObject({ percent: 100, current: 4_000_000, unit: 'bytes' });
    const { result } = events.at(-1)!.data;
    expect(result).toMatchObject({ files: 20, bytes: 4_000_000 });
    expect(existsSync(result.archive)).toBe(true);
    await page.getByText(/^Completed: \{"archive":/).waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('100');
    await takePictures(page, 'celery');
    expect(complaints).toEqual([]);
  }, 120_000);

  it('shows why the task failed', async () => {
    const empty = temporaryFolder();
    const query = await startTask(empty);
    const stream = await openStream(`${headway.api.url}/stream${query}&last=100`);
    const { data } = await stream.waitFor('failed', 40_000);
    expect(data).toMatchObject({
      name: 'pack',
      attempt: 1,
      error: { message: `there are no files in ${empty}` },
    });
    await stream.ended;
  });

  it('ignores a worker that lost its task to another, and completes the task once', async () => {
    const script = `
import sys; sys.path.insert(0, 'examples/celery')
import headway
r = headway.connect('${headway.redis.url}')
task = lambda: headway.Task(r, 'public.celery.twice', 'twice', 'pack', interval=0)
one, other = task(), task()
one.__enter__(); one.progress(percent=90)
other.__enter__(); other.progress(percent=1)
for what in (lambda: one.progress(percent=99), lambda: one.log('still here')):
    try: what(); print('taken')
    except headway.Superseded: print('refused')
try: one.completed('old')
except headway.Superseded: print('refused')
other.completed('new')
try: task().__enter__(); print('again')
except headway.Ended: print('ended')
`;
    const printed = await runToEnd(`/usr/bin/python3 - <<'PY'\n${script}\nPY`, {});
    expect(printed).toBe('refused\nrefused\nrefused\nended\n');
    // After the end, every viewer gets the newest progress and the end.
    const stream = await openStream(`${headway.api.url}/stream?channel=public.celery.twice`);
    await stream.ended;
    expect(stream.events).toMatchObject([
      { event: 'progress', data: { attempt: 2, percent: 1 } },
      { event: 'completed', data: { attempt: 2, result: 'new' } },
    ]);
  });
});
