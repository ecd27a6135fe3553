import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker } from '../support/processes.js';
import { freePort } from '../support/redis.js';
import { until } from '../support/until.js';

/** What a viewer sees while something that the page needs is missing, and after it has returned. */
describe('the page', () => {
  let headway: Headway;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    [headway, browser] = await Promise.all([
      startHeadway({
        workers: 0,
        appendOnly: true,
        env: {
          PORT: String(await freePort()),
          JOBS_DIR: jobsDir('steered'),
        },
      }),
      startBrowser(),
    ]);
    context = await browser.newContext();
    page = await open();
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  async function open(): Promise<Page> {
    const opened = await context.newPage();
    opened.setDefaultTimeout(15_000);
    await opened.goto(headway.api.url);
    return opened;
  }
  const panel = () => page.getByRole('article').first();
  const startButton = () => page.getByRole('button', { name: 'Start the job' });
  const history = () => page.getByRole('navigation', { name: 'Your jobs' });
  const say = (text: string | RegExp, state: 'visible' | 'hidden' = 'visible') =>
    page.getByText(text).first().waitFor({ state });

  async function fill(count: number, failAt = ''): Promise<void> {
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.getByLabel(/^Count/).fill(String(count));
    await page.getByLabel(/^Interval/).fill('500');
    await page.getByLabel(/^Fail at/).fill(failAt);
  }

  it('shows that no workers are running for a waiting job, and how to start one, until one is running', async () => {
    await fill(1200);
    await startButton().click();
    await panel().getByRole('status').getByText('Waiting: no workers running').waitFor();
    await panel()
      .getByText('No workers running for this kind of job. Start one with npm run worker')
      .waitFor();
    await say('1 job waiting (no workers running)');
    await history().getByText('Waiting: no workers running').waitFor();
    headway.workers.push(await startWorker(headway.env));
    await panel()
      .getByRole('status')
      .getByText(/: Running$/)
      .waitFor();
    expect(await page.getByText(/no worker/i).count()).toBe(0);
  });

  it('updates a finished job in the list when it is retried elsewhere', async () => {
    const post = async (path: string, data?: object) =>
      (await context.request.post(`${headway.api.url}/v1/jobs${path}`, { data })).json();
    const job = await post('', { name: 'steered', data: { turns: 'turns' } });
    await headway.connection.lpush('turns', 'fail');
    await until('the job has failed', async () => (await headway.client.result(job)).status === 409);
    const running = await panel().getAttribute('id');
    const tabs = [page, await open()];
    const row = (tab: Page, state: string) =>
      tab.locator('.own li', { hasText: state }).filter({ has: tab.locator(`a[href="#job=${job.id}"]`) });
    for (const tab of tabs) {
      await tab.goto('about:blank');
      // Another job is open, so that the failed job appears only as a row.
      await tab.goto(`${headway.api.url}/#job=${running?.slice('job-'.length)}`);
      await row(tab, 'Failed').waitFor();
    }
    await post(`/${job.id}/retry`);
    for (const tab of tabs) await row(tab, 'Running').waitFor();
    await headway.connection.lpush('turns', 'end');
    for (const tab of tabs) await row(tab, 'Completed').waitFor();
    await tabs[1]?.close();
  });

  it.each<[string, () => unknown, () => unknown]>([
    ['Redis has stopped', () => headway.redis.kill(), () => headway.redis.restart()],
    [
      'the API has stopped',
      () => headway.api.kill(),
      async () => {
        headway.api = await startApi(headway.env);
      },
    ],
    ['the API is frozen', () => headway.api.child.kill('SIGSTOP'), () => headway.api.child.kill('SIGCONT')],
  ])(
    'shows within two seconds that it is disconnected when %s, and recovers when that is over',
    async (what, away, back) => {
      const live = async (): Promise<void> => {
        await say(/about .* left/);
        await say('Disconnected: reconnecting…', 'hidden');
      };
      /** An attempt to start a job while the service is unreachable. */
      const tryToStart = async (): Promise<void> => {
        await startButton().click();
        await page
          .getByRole('alert')
          .getByText('The service is unreachable. Nothing was lost. Try again in a moment.')
          .waitFor();
        await startButton().waitFor();
      };
      await live();
      await fill(1);
      await away();
      const since = performance.now();
      await panel().getByText('Disconnected: reconnecting…').waitFor();
      expect(performance.now() - since).toBeLessThan(2000);
      expect(await page.getByText(/left$/).count()).toBe(0);
      await history().getByText('Disconnected: reconnecting…').waitFor();
      // A frozen service neither accepts nor refuses connections.
      if (what !== 'the API is frozen') await tryToStart();
      if (what === 'Redis has stopped') {
        await page.reload();
        await say('Disconnected: the service is unreachable. Reconnecting…');
        expect(await page.locator('body').innerText()).not.toMatch(/idempotency/i);
      }
      await back();
      await live();
      await fill(1);
      const count = await page.getByRole('article').count();
      await startButton().click();
      await until(
        'another job is shown',
        async () => (await page.getByRole('article').count()) === count + 1,
      );
      await panel().getByRole('status').getByText('Completed').waitFor();
      await panel().getByRole('button', { name: 'Close steps' }).click();
      expect(await page.getByRole('alert').count()).toBe(0);
    },
  );
});
