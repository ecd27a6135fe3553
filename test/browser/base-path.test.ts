import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { takePictures } from '../support/page.js';
import { type PathProxy, startPathProxy } from '../support/path-proxy.js';
import { until } from '../support/until.js';

const ADMIN_TOKEN = 'the-token-of-an-admin';
const BASE = '/team/headway';

describe('the pages of a service below a path behind a proxy', () => {
  let headway: Headway;
  let proxy: PathProxy;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  const complaints: string[] = [];
  beforeAll(async () => {
    [headway, browser] = await Promise.all([
      startHeadway({ env: { PUBLIC_URL: `https://example.org${BASE}`, ADMIN_TOKEN } }),
      startBrowser(),
    ]);
    proxy = await startPathProxy(headway.api.url, BASE, 'strip');
    context = await browser.newContext({ httpCredentials: { username: 'any', password: ADMIN_TOKEN } });
    page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(`${proxy.url}${BASE}/`)) complaints.push(request.url());
    });
  });
  afterAll(async () => {
    await browser.close();
    proxy.stop();
    await headway.stop();
    // The shared worker stayed below the path, too.
    expect([...complaints, ...proxy.outside]).toEqual([]);
  });

  const bar = () => page.getByRole('progressbar').first();
  const value = async (): Promise<number> => Number(await bar().getAttribute('aria-valuenow'));

  it('start a job with a file, follow it to its end across a reload, and offer its result', async () => {
    await page.goto(`${proxy.url}${BASE}/`);
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.getByLabel(/^Count/).fill('30');
    await page.getByLabel(/^Interval/).fill('50');
    await page.getByRole('button', { name: 'Start the job' }).click();
    await until('the bar moves', async () => (await value()) > 5);
    await page.reload();
    await until('the bar is full', async () => (await value()) === 100);
    await page.getByRole('status').getByText('Completed').waitFor();
    await takePictures(page, 'below-a-path');
    await page.getByRole('radio', { name: /^csv-import/ }).check();
    const buffer = Buffer.from('id,name\n1,Ada\n2,Grace\n');
    await page.locator('input[type=file]').setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer });
    await page.getByRole('button', { name: 'Start the job' }).click();
    const link = page.getByRole('link', { name: /list\.sqlite/ });
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.url()).toContain(`${proxy.url}${BASE}/v1/jobs/`);
    expect(await download.failure()).toBeNull();
  });

  it('let the client and the element, loaded from there, find the service', async () => {
    const job = await headway.client.start('steps', { count: 2, intervalMs: 1 });
    // The script is a string, because Vitest rewrites `import()` in code.
    const states = await page.evaluate(`(async () => {
      const { createClient } = await import('${BASE}/client/index.js');
      const started = await createClient().startJob('steps', { count: 1, intervalMs: 1 });
      await started.result();
      await import('${BASE}/client/element/index.js');
      const end = (src) => new Promise((resolve) => {
        const element = document.createElement('job-progress');
        element.addEventListener('job-end', () => resolve(element.getAttribute('state')));
        element.setAttribute('token', '${job.token}');
        element.setAttribute('src', src);
        document.body.append(element);
      });
      const links = ['${job.id}', '${job.links.events}', location.origin + '${job.links.self}'];
      return [...(await Promise.all(links.map(end))), started.links.self.replace(started.id, '')];
    })()`);
    expect(states).toEqual(['completed', 'completed', 'completed', `${BASE}/v1/jobs/`]);
  });

  it('link to the reference (which can call the API), the dashboard, sign-in, a job, the board, and back', async () => {
    const failing = await headway.client.start('steps', { count: 3, intervalMs: 1, failAt: 2 });
    await page.goto(`${proxy.url}${BASE}/`);
    await page.getByRole('link', { name: 'Reference' }).click();
    // The renderer of the reference adds a fragment to its address.
    await page.waitForURL((url) => url.href.startsWith(`${proxy.url}${BASE}/docs`));
    await page.goto(`${proxy.url}${BASE}/docs#?route=get-/v1/definitions`);
    await page.reload();
    const tried = page.waitForResponse((response) => response.url().endsWith('/v1/definitions'));
    await page.getByRole('button', { name: 'Execute' }).click();
    expect((await tried).url()).toBe(`${proxy.url}${BASE}/v1/definitions`);
    await page.getByRole('link', { name: 'Dashboard' }).first().click();
    await page.getByRole('link', { name: 'Sign in as admin', exact: true }).click();
    await page.waitForURL(`${proxy.url}${BASE}/dashboard`);
    await page.getByRole('status').getByText('Live', { exact: true }).waitFor();
    await takePictures(page, 'dashboard-below-a-path');
    await page.locator(`a[title="steps ${failing.id}"]`).click();
    await page.waitForURL(`${proxy.url}${BASE}/dashboard/jobs/${failing.id}`);
    await page.getByText('failed at step 2, as asked').first().waitFor();
    await page.getByRole('link', { name: 'All jobs' }).click();
    await page.getByRole('link', { name: 'Bull Board' }).click();
    await page.getByText('steps').first().waitFor();
    await page.goto(`${proxy.url}${BASE}/dashboard`);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in as admin', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Start a job' }).click();
    await page.waitForURL(`${proxy.url}${BASE}/`);
  });
});
