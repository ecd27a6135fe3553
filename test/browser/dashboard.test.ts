import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { findingsOf, forgetVisitor, onEachScreen, SCREENS, takePictures } from '../support/page.js';
import { until } from '../support/until.js';

describe('the dashboard', () => {
  let headway: Headway;
  let browser: Browser;
  let page: Page;
  let complaints: string[];
  /** All requests of the page, except for its files. */
  let requests: string[];

  beforeAll(async () => {
    [headway, browser] = await Promise.all([
      startHeadway({ env: { ADMIN_TOKEN, WORKER_CONCURRENCY: '70' } }),
      startBrowser(),
    ]);
    const context = await browser.newContext({
      httpCredentials: { username: 'any', password: ADMIN_TOKEN },
      viewport: { width: 1280, height: 900 },
    });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', (request) => {
      const { origin, pathname } = new URL(request.url());
      if (origin !== headway.api.url) complaints.push(request.url());
      if (!/^\/(assets\/|favicon)/.test(pathname)) requests.push(`${request.method()} ${pathname}`);
    });
  });
  beforeEach(() => {
    complaints = [];
    requests = [];
  });
  afterEach(async () => {
    await forgetVisitor(page, headway.api.url);
    expect(complaints).toEqual([]);
    await headway.connection.flushall();
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  const live = () => page.getByRole('status').getByText('Live', { exact: true }).waitFor();
  async function signIn(): Promise<void> {
    await page.goto(`${headway.api.url}/dashboard/sign-in`);
    await live();
  }
  const start = (count: number, intervalMs: number, failAt?: number, options?: Record<string, unknown>) =>
    headway.client.start('steps', { count, intervalMs, ...(failAt ? { failAt } : {}) }, options);
  const tile = (name: string) =>
    page
      .locator('.tile')
      .filter({ has: page.getByText(name, { exact: true }) })
      .locator('dd');
  const bars = () => page.getByRole('group', { name: 'List of active jobs' }).getByRole('progressbar');

  it('uses one stream: it sends no other requests while bars move and jobs end', async () => {
    const jobs = await Promise.all([start(100, 100), start(100, 100), start(100, 100)]);
    await signIn();
    await until('the bars are shown', async () => (await bars().count()) === 3);
    const value = async (): Promise<number> => Number(await bars().first().getAttribute('aria-valuenow'));
    const before = await value();
    await start(3, 10);
    await start(3, 10, 2);
    await until('one job has completed', async () => (await tile('Completed').innerText()) === '1');
    await until('one job has failed', async () => (await tile('Failed').innerText()) === '1');
    await page.getByText('failed at step 2, as asked').waitFor();
    await until('the bars have moved repeatedly', async () => (await value()) >= before + 25);
    expect(requests).toEqual(['GET /dashboard/sign-in', 'GET /dashboard', 'GET /v1/dashboard/events']);
    await Promise.all(jobs.map((job) => headway.client.cancel(job)));
    await until('the bars are removed', async () => (await bars().count()) === 0);
    await until(
      'the tile counts the cancelled jobs',
      async () => (await tile('Cancelled').innerText()) === '3',
    );
  });

  it('retries a failed job, pauses and resumes a queue', async () => {
    const job = await start(3, 10, 2);
    await signIn();
    await page.getByRole('button', { name: /^Retry steps/ }).click();
    await until('the job has failed again', async () => {
      const now = (await (await headway.client.get(job)).json()) as { state: string; attempt: number };
      return now.state === 'failed' && now.attempt === 2;
    });
    await page.getByRole('button', { name: /^Retry steps/ }).waitFor();
    await page.getByRole('button', { name: 'Pause the queue steps' }).click();
    await page.getByRole('button', { name: 'Resume the queue steps' }).waitFor();
    await start(1, 1);
    await until('the job is waiting', async () => (await tile('Waiting').innerText()) === '1');
    await page.getByRole('button', { name: 'Resume the queue steps' }).click();
    await until('the job has completed', async () => (await tile('Completed').innerText()) === '1');
    expect(requests.filter((request) => request.startsWith('POST'))).toHaveLength(3);
    expect(requests.filter((request) => request.includes('events'))).toHaveLength(1);
  });

  it('draws only the visible rows, finds jobs, and shows one with its timeline', async () => {
    const jobs = await Promise.all(
      Array.from({ length: 60 }, (_, i) => start(100, 10_000, undefined, { title: `Row ${i}` })),
    );
    const failed = await start(4, 20, 2, {
      ...{ attempts: 2, backoff: { type: 'fixed', delayMs: 50 } },
      ...{ title: 'Report of June', metadata: { room: 'Blue' } },
    });
    await signIn();
    const list = page.getByRole('group', { name: 'List of active jobs' });
    await page.getByRole('heading', { name: /^Active jobs 60/ }).waitFor();
    expect(await list.getByRole('listitem').count()).toBeLessThan(25);
    const ids = () =>
      list
        .getByRole('link')
        .evaluateAll((links) => links.map((link) => link.getAttribute('title')?.split(' ').at(-1)));
    const atTop = await ids();
    await list.evaluate((box) => box.scrollTo(0, box.scrollHeight));
    await until('other rows are drawn', async () => {
      const now = await ids();
      return now.length > 5 && now.every((id) => !atTop.includes(id)) && now.at(-1) !== undefined;
    });
    expect(await list.getByRole('listitem').count()).toBeLessThan(25);
    await page.getByRole('searchbox', { name: 'Search' }).fill(jobs[30]!.id);
    await until('only the job with that id is shown', async () => (await ids()).join() === jobs[30]!.id);
    await list.getByRole('link', { name: 'steps Row 30' }).waitFor();
    await list.getByRole('progressbar', { name: 'steps Row 30' }).waitFor();
    await page.getByRole('link', { name: /^Open job/ }).waitFor();
    await page.getByRole('searchbox', { name: 'Search' }).fill('as asked');
    await page
      .getByRole('group', { name: 'List of failed jobs' })
      .getByRole('link', { name: 'steps Report of June' })
      .click();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await page.getByText('Attempt 1 failed: failed at step 2, as asked').waitFor();
    await page.getByText('Attempt 2 started').waitFor();
    await page.getByText('Failed: failed at step 2, as asked', { exact: true }).waitFor();
    expect(page.url()).toBe(`${headway.api.url}/dashboard/jobs/${failed.id}`);
    const rows = page.locator('.result').filter({ has: page.getByRole('heading', { name: 'Data' }) });
    await until('the data is shown', async () =>
      (await rows.locator('dl div').allInnerTexts()).includes('intervalMs\n20'),
    );
    await page.getByText('Blue', { exact: true }).waitFor();
    await Promise.all(jobs.map((job) => headway.client.cancel(job)));
  });

  it('shows when it is disconnected, and recovers by itself', async () => {
    await signIn();
    await headway.api.kill();
    await page
      .getByRole('status')
      .getByText(/^Disconnected: reconnecting/)
      .waitFor();
    const { startApi } = await import('../support/processes.js');
    const { port } = new URL(headway.api.url);
    headway.api = await startApi({ ...headway.env, PORT: port });
    await live();
    // The browser's message about a connection that was refused or lost.
    complaints = complaints.filter((text) => !text.startsWith('Failed to load resource'));
  });

  it('lists the jobs of a tile, filters them, and retries or cancels many after counting them', async () => {
    const titled = { title: 'Report of May', tags: ['eu'] };
    await Promise.all([start(3, 10, 2, titled), start(3, 10, 2), start(1, 1)]);
    for (let i = 0; i < 2; i++) await start(1, 1, undefined, { delayMs: 600_000 });
    await signIn();
    await until('two jobs have failed', async () => (await tile('Failed').innerText()) === '2');
    await page.getByRole('link', { name: 'Failed', exact: true }).click();
    await page.waitForURL(`${headway.api.url}/dashboard/jobs?state=failed`);
    const rows = page.locator('.job-list li');
    const rowsAre = (count: number) =>
      until(`${count} rows`, async () => (await rows.count()) === count || undefined);
    await rowsAre(2);
    expect(await rows.getByText('failed at step 2, as asked').count()).toBe(2);

    const tag = page.getByRole('searchbox', { name: 'Tag' });
    await tag.fill('eu');
    await rowsAre(1);
    await page.reload();
    await rowsAre(1);
    expect([await tag.inputValue(), await rows.getByRole('link').innerText()]).toEqual([
      'eu',
      'steps\nReport of May',
    ]);
    await onEachScreen(page, async (screen, rules) =>
      expect(await findingsOf(page, { rules }), screen).toEqual([]),
    );
    await takePictures(page, 'dashboard-jobs');
    await tag.fill('');
    await rowsAre(2);
    await page.getByRole('button', { name: 'Retry all…' }).click();
    await page.getByRole('button', { name: 'Retry 2 jobs' }).click();
    await page.getByText('2 jobs retried.').waitFor();

    const state = page.getByRole('combobox', { name: /^State/ });
    await state.selectOption('delayed');
    await rowsAre(2);
    await page.getByRole('button', { name: 'Cancel all…' }).click();
    await page.getByRole('button', { name: 'Keep them' }).click();
    await rowsAre(2);
    await page.getByRole('button', { name: 'Cancel all…' }).click();
    await page.getByRole('button', { name: 'Cancel 2 jobs' }).click();
    await page.getByText('Cancellation of 2 jobs requested.').waitFor();
    await page.getByText('No jobs match').waitFor();
    await state.selectOption('cancelled');
    await rowsAre(2);
    await rows
      .first()
      .getByRole('button', { name: /^Retry steps/ })
      .click();
    await rowsAre(1);
  });

  it('shows visitors their own jobs, and lets an admin sign in', async () => {
    await start(500, 500);
    const context = await browser.newContext();
    const visitor = await context.newPage();
    await visitor.goto(`${headway.api.url}/`);
    await visitor.getByRole('radio', { name: /^steps/ }).check();
    await visitor.getByLabel(/^Count/).fill('500');
    await visitor.getByLabel(/^Interval/).fill('500');
    await visitor.getByRole('button', { name: 'Start the job' }).click();
    await visitor.getByRole('status').getByText('Running').waitFor();
    await visitor.goto(`${headway.api.url}/dashboard`);
    await visitor.getByRole('heading', { name: /^Active jobs 1/ }).waitFor();
    await visitor.getByText('Jobs started from this browser.').waitFor();
    expect(await visitor.getByRole('radio').count()).toBe(0);
    expect(await visitor.getByRole('button', { name: /^Pause/ }).count()).toBe(0);
    expect(await visitor.getByRole('heading', { name: /^Workers/ }).count()).toBe(0);
    await visitor.getByRole('link', { name: 'Sign in as admin to see all jobs' }).waitFor();
    await context.close();
    await signIn();
    await page.getByRole('heading', { name: /^Active jobs 2/ }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: /^Active jobs 0/ }).waitFor();
  });

  /** Stores a history with a gap and an alert, and shows the last seven days with the keyboard alone. */
  async function showHistory(): Promise<void> {
    const hour = Math.floor(Date.now() / 3_600_000);
    const entries = Array.from({ length: 150 }, (_, i): [string, string] => {
      const counts = [100 + i, i % 7, 1, 40, 90, 1000 + 10 * i, 4000];
      return [String(hour - i), JSON.stringify(i > 40 && i < 70 ? {} : { '': counts, steps: counts })];
    }).filter((_, i) => i < 80 || i > 110);
    await headway.connection.hset('headway:internal:{dashboard}:hours', Object.fromEntries(entries));
    const key = 'waiting-jobs:steps';
    const text = 'The oldest of 12 waiting jobs in the queue steps has waited 12 min (limit 5 min).';
    const alert = { key, kind: 'waiting-jobs', subject: 'steps', text, firing: true, since: Date.now() };
    await headway.connection.hset('headway:{alerts}:states', key, JSON.stringify(alert));
    await page.getByText(text).waitFor();
    await page.getByRole('radio', { name: '1 hour' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('radio', { name: '7 days' }).isChecked()).toBe(true);
    await page
      .getByRole('img', {
        name: /^Finished per hour, the last 7 days\. Newest: Completed 1\d\d, Failed \d, Cancelled 1$/,
      })
      .waitFor();
    await page
      .getByRole('img', { name: /^Wait time, the last 7 days\. Newest: p50 40 ms, p95 90 ms$/ })
      .waitFor();
    expect(requests.filter((request) => request === 'GET /v1/dashboard/history').length).toBeLessThanOrEqual(
      2,
    );
  }

  it('has no axe findings and no horizontal scrolling on any screen', async () => {
    const job = await start(500, 500);
    const failed = await start(3, 10, 2);
    await signIn();
    await page.getByText('failed at step 2, as asked').waitFor();
    await bars().first().waitFor();
    await showHistory();
    await takePictures(page, 'dashboard-history');
    for (const address of ['', `/jobs/${failed.id}`]) {
      if (address) {
        await page.goto(`${headway.api.url}/dashboard${address}`);
        await page.getByText('Failed: failed at step 2, as asked', { exact: true }).waitFor();
      }
      await onEachScreen(
        page,
        async (screen, rules) =>
          expect(await findingsOf(page, { rules }), `${address} ${screen}`).toEqual([]),
        [...SCREENS, ['light', 3840]],
      );
    }
    await headway.client.cancel(job);
  });
});
