import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBrowser, startBrowserWithTabs } from '../support/browser.js';
import type { Headway } from '../support/headway.js';
import { findingsOf, forgetVisitor, onEachScreen } from '../support/page.js';
import { temporaryFolder } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { startSite, type TestSite } from '../support/site.js';
import { until } from '../support/until.js';
import { zipOf } from '../support/zip.js';

describe('the page with several jobs', () => {
  let headway: Headway;
  let browser: Browser;
  /** Serves the page through a reverse proxy that records the open streams. */
  let site: TestSite;
  let context: BrowserContext;
  /** The page of the tests, except for those in another browser. */
  let first: Page;
  let page: Page;
  let complaints: string[] = [];

  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    site = await startSite(headway.api.url, {});
    context = await browser.newContext();
    first = await open(context);
  });
  beforeEach(async () => {
    complaints = [];
    page = first;
    await page.goto(site.url);
  });
  afterEach(async () => {
    await Promise.all(context.pages().map((each) => each === first || each.close()));
    await forgetVisitor(first, site.url);
    expect(complaints).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    site.stop();
    await headway.stop();
  });

  async function open(where: BrowserContext): Promise<Page> {
    const opened = await where.newPage();
    opened.setDefaultTimeout(10_000);
    opened.on('pageerror', (error) => complaints.push(error.message));
    opened.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    await opened.goto(site.url);
    return opened;
  }

  async function startSteps(count: number, intervalMs: number, failAt?: number): Promise<void> {
    const before = await panels().count();
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.getByLabel(/^Count/).fill(String(count));
    await page.getByLabel(/^Interval/).fill(String(intervalMs));
    await page.getByLabel(/^Fail at/).fill(failAt ? String(failAt) : '');
    await page.getByRole('button', { name: 'Start the job' }).click();
    await panels().nth(before).waitFor();
  }
  const panels = () => page.getByRole('article');
  const percentOf = async (panel: Locator): Promise<number> =>
    Number(await panel.getByRole('progressbar').getAttribute('aria-valuenow'));
  const history = () => page.getByRole('navigation', { name: 'Your jobs' });
  const status = (panel: Locator, label: string) =>
    panel.getByRole('status').getByText(label).waitFor({ timeout: 20_000 });
  /** Starts jobs as this visitor, without the page. */
  async function startBatch(jobs: object[]): Promise<string[]> {
    const response = await context.request.post(`${headway.api.url}/v1/jobs:batch`, { data: { jobs } });
    return (await response.json()).jobs.map(({ id }: { id: string }) => id);
  }

  it('moves three bars over one connection, and cancels only one of the jobs', async () => {
    for (const count of [100, 120, 140]) await startSteps(count, 250);
    await until('all three bars move', async () => {
      const values = await Promise.all([0, 1, 2].map((i) => percentOf(panels().nth(i))));
      return values.every((value) => value >= 2);
    });
    // The other stream is that of the list with the states of all jobs.
    await until('one stream follows all three jobs', () => {
      const [first, ...others] = site.open.filter((path) => path !== '/v1/events?jobs=mine');
      return others.length === 0 && first?.split('job=').length === 4 && site.open.length === 2;
    });
    await page.getByText('3 jobs in progress').waitFor();
    await until('the title shows the mean progress', async () => /^\d+ % · 3 jobs$/.test(await page.title()));
    // The newest job comes first.
    await page.getByRole('button', { name: 'Cancel steps' }).nth(1).click();
    await status(panels().nth(1), 'Cancelled');
    const before = await percentOf(panels().nth(0));
    await until('the other bars move', async () => (await percentOf(panels().nth(0))) > before);
    await until('two jobs are open', async () => /^\d+ % · 2 jobs$/.test(await page.title()));
    await page.getByRole('button', { name: 'Close steps' }).nth(0).click();
    await until('one job is open', async () => /^\d+ % · steps$/.test(await page.title()));
    expect(await panels().count()).toBe(2);
    // The closed job continues, as the history shows.
    await history().locator('li').first().getByText('Running').waitFor();
    await panels().last().getByRole('button', { name: 'Cancel steps' }).click();
    await until(
      'the title shows the state of the first job',
      async () => (await page.title()) === 'Cancelled · steps',
    );
  });

  it('shows the same jobs after a reload, and the unfinished ones in a tab without jobs in its address', async () => {
    await startSteps(100, 250);
    await startSteps(3, 10, 2);
    await panels().first().getByText('failed at step 2, as asked').waitFor();
    await page.reload();
    await panels().nth(1).waitFor();
    await panels().first().getByText('failed at step 2, as asked').waitFor();
    await until('the other bar moves', async () => (await percentOf(panels().nth(1))) > 0);
    const other = await open(context);
    await other.getByRole('article').getByRole('status').getByText('Running').waitFor();
    expect(await other.getByRole('article').count()).toBe(1);
    await page.getByRole('button', { name: 'Run again steps' }).click();
    await panels().first().getByText('failed at step 2, as asked').waitFor();
    await panels().nth(1).getByRole('button', { name: 'Cancel steps' }).click();
    await status(panels().nth(1), 'Cancelled');
  });

  it("lists all of the visitor's jobs, and opens each of them again", async () => {
    await startSteps(2, 1);
    await status(panels().first(), 'Completed');
    const ids = await startBatch(
      Array.from({ length: 60 }, () => ({ name: 'steps', data: { count: 1, intervalMs: 1 } })),
    );
    await page.goto(`${site.url}/`);
    const rows = history().locator('li');
    await until('the newest ten jobs are listed', async () => (await rows.count()) === 10);
    for (const count of [20, 30, 40, 50, 60, 61]) {
      await history().getByRole('button', { name: 'Show more' }).click();
      await until(`${count} rows are listed`, async () => (await rows.count()) === count);
    }
    await until('there are no more jobs', async () => (await history().getByRole('button').count()) === 0);
    const links = await rows
      .getByRole('link')
      .evaluateAll((all) => all.map((link) => link.getAttribute('href')));
    expect(new Set(links).size).toBe(61);
    for (const id of ids) expect(links).toContain(`#job=${id}`);
    expect(await rows.last().innerText()).toMatch(/^steps\s+Completed\s+100 %\s+\d/);
    await rows.last().getByRole('link').press('Enter');
    await status(panels().first(), 'Completed');
    // The job has the keyboard focus.
    await until('the job has the focus', () =>
      panels()
        .first()
        .getByRole('heading', { name: 'steps' })
        .evaluate((h2) => h2.matches(':focus')),
    );
    expect(await rows.last().getByRole('link').getAttribute('aria-current')).toBe('true');
    const stranger = await (await browser.newContext()).newPage();
    await stranger.goto(site.url);
    await stranger.getByRole('button', { name: 'Start the job' }).waitFor();
    expect(await stranger.getByRole('navigation', { name: 'Your jobs' }).count()).toBe(0);
    await stranger.context().close();
  });

  it('accepts a file dropped anywhere, and chooses the kind of job that fits it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'people.csv');
    writeFileSync(file, 'name,age\nAda,36\nGrace,45\n');
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.reload();
    await page.getByRole('radio', { name: /^checksum/ }).waitFor();
    const cdp = await context.newCDPSession(page);
    /** The browser itself receives the drag, as if it came from the desktop. */
    const drag = async (types: Array<'dragEnter' | 'dragOver' | 'dragCancel' | 'drop'>, files: string[]) => {
      for (const type of types) {
        const data = { items: [], files, dragOperationsMask: 1 };
        await cdp.send('Input.dispatchDragEvent', { type, x: 20, y: 15, data });
      }
    };
    const veil = page.getByText('Drop the file anywhere');
    await drag(['dragEnter', 'dragOver'], [file]);
    await veil.waitFor();
    await drag(['dragCancel'], [file]);
    await veil.waitFor({ state: 'hidden' });
    await drag(['dragEnter', 'dragOver', 'drop'], [file]);
    await page.getByRole('status').getByText('people.csv is ready for csv-import.').waitFor();
    await veil.waitFor({ state: 'hidden' });
    expect(await page.getByRole('radio', { checked: true }).getAttribute('value')).toBe('csv-import');
    // The start button has the focus.
    await page.keyboard.press('Enter');
    await panels().first().getByRole('link', { name: 'people.sqlite' }).waitFor();
    // A kind that the visitor selected is kept.
    await page.getByRole('radio', { name: /^checksum/ }).check();
    await drag(['dragEnter', 'dragOver', 'drop'], [file, file]);
    await page.getByText('people.csv is ready for checksum. Using the first of 2 files.').waitFor();
    mkdirSync(join(folder, 'photos'));
    await drag(['dragEnter', 'dragOver', 'drop'], [join(folder, 'photos')]);
    await page.getByRole('alert').getByText('photos is a folder.').waitFor();
    expect(page.url()).toMatch(/#job=csv-import\.[\w-]+$/);
  });

  it('shows the stages of a job, its parts, and which of them failed', async () => {
    const image = (background: string) =>
      sharp({ create: { width: 64, height: 48, channels: 3, background } })
        .png()
        .toBuffer();
    const zip = await zipOf({
      'a.png': await image('teal'),
      'b.png': await image('navy'),
      // These are the first events of a job.
      'c.png': (await image('red')).subarray(0, 60),
    });
    await page.getByRole('radio', { name: /^image-variants/ }).check();
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'all.zip', mimeType: 'application/zip', buffer: zip });
    await page.getByRole('button', { name: 'Start the job' }).click();
    const panel = panels().first();
    await panel.getByRole('link', { name: 'all-variants.zip' }).waitFor();
    const stages = panel.getByRole('list', { name: 'Stages' }).getByRole('listitem');
    expect(await stages.allTextContents()).toEqual(['unpack (done)', 'variants (done)', 'archive (done)']);
    await panel.getByRole('heading', { name: 'Parts 3 of 3 ended' }).waitFor();
    expect(await panel.locator('.failed-parts').innerText()).toMatch(/^image-variant .+/);
    // The children of the job are not listed as jobs.
    await page.reload();
    await until('there is one row', async () => (await history().locator('li').count()) === 1);
  });

  describe('in a browser with tabs and prompts', () => {
    let chromium: Awaited<ReturnType<typeof startBrowserWithTabs>>;
    let tabs: BrowserContext;
    beforeAll(async () => {
      chromium = await startBrowserWithTabs();
      tabs = chromium.context;
    });
    afterEach(async () => {
      // The next test is another visitor.
      await page.evaluate('localStorage.clear()');
      await Promise.all(tabs.pages().map((tab) => tab.close()));
      await tabs.clearCookies();
    });
    afterAll(() => chromium.stop());

    it('works without notifications if the browser denies them or does not support them', async () => {
      page = await open(tabs);
      await startSteps(100, 250);
      // Without a window, Chromium denies permission at once.
      await page.getByRole('button', { name: 'Notify me when done' }).click();
      await page.getByText('This browser blocks notifications from this page.').waitFor();
      await page.addInitScript('delete globalThis.Notification');
      await page.reload();
      await status(panels().first(), 'Running');
      expect(await page.getByRole('button', { name: 'Notify me when done' }).count()).toBe(0);
      await page.getByRole('button', { name: 'Cancel steps' }).click();
      await status(panels().first(), 'Cancelled');
    });

    it('shows a notification when a long job ends, only in a hidden tab', async () => {
      await tabs.grantPermissions(['notifications'], { origin: site.url });
      // The browser's own class, extended to record what was shown.
      await tabs.addInitScript(() => {
        // biome-ignore lint/suspicious/noExplicitAny: tests are compiled without the types of the DOM
        const here = globalThis as any;
        here.shown = [];
        here.Notification = class extends here.Notification {
          constructor(title: string, options: { body: string }) {
            super(title, options);
            this.addEventListener('show', () => here.shown.push(`${title} (${options.body})`));
          }
        };
      });
      page = await open(tabs);
      const shown = (): Promise<string[]> => page.evaluate('globalThis.shown');
      await startSteps(22, 500);
      const button = page.getByRole('button', { name: 'Notify me when done' });
      expect(await button.getAttribute('aria-pressed')).toBe('false');
      await button.click();
      await page.getByRole('button', { name: 'Notifications on', pressed: true }).waitFor();
      const other = await tabs.newPage();
      await other.bringToFront();
      await until(
        'the tab is hidden',
        async () => (await page.evaluate('document.visibilityState')) === 'hidden',
      );
      await until('the title still shows progress', async () =>
        /^[1-9]\d % · steps$/.test(await page.title()),
      );
      await until('a notification is shown', async () => (await shown()).length > 0, 20_000);
      expect(await shown()).toEqual(['steps: Completed (Open its tab to see the result.)']);
      expect(await page.title()).toBe('Completed · steps');
      await page.bringToFront();
      await until(
        'the tab is visible',
        async () => (await page.evaluate('document.visibilityState')) === 'visible',
      );
      // A long job that ends while the tab is visible, and a short one that ends while it is hidden.
      await startSteps(22, 500);
      await status(panels().first(), 'Completed');
      await startSteps(4, 500);
      await other.bringToFront();
      await until('the short job has ended', async () => (await page.title()) === 'Completed · steps');
      // The setting is kept, and an earlier end causes no notification.
      expect(await shown()).toHaveLength(1);
      await page.reload();
      await until('the page is loaded again', async () => (await page.title()) === 'Completed · steps');
      expect(await shown()).toEqual([]);
      await page.bringToFront();
      await page.getByRole('button', { name: 'Notifications on', pressed: true }).waitFor();
    });
  });

  it('has no axe findings and no horizontal scrolling on any screen', async () => {
    // They run until they are cancelled.
    await startSteps(500, 500);
    await startSteps(400, 500);
    await startSteps(5, 10, 4);
    await panels().first().getByText('failed at step 4, as asked').waitFor();
    await until('the bar moves', async () => (await percentOf(panels().nth(1))) > 0);
    await onEachScreen(page, async (screen, rules) =>
      expect(await findingsOf(page, { rules }), screen).toEqual([]),
    );
    for (const _ of [1, 2]) await page.getByRole('button', { name: 'Cancel steps' }).first().click();
    await until('the title shows the failed job', async () => (await page.title()) === 'Failed · steps');
  });
});
