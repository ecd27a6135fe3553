import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { createAuthority } from '../support/certificates.js';
import type { Headway } from '../support/headway.js';
import { startApi, type TestProcess } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { call } from '../support/tokens.js';
import { until } from '../support/until.js';

const CHANNEL = 'public.tabs';

/** What a tab has of its stream. */
interface Tab {
  source: EventSource;
  data: string[];
}
declare global {
  var tab: Tab;
}

describe('seven tabs with an EventSource each', () => {
  let headway: Headway;
  /** Another API process of the same installation, with a certificate. */
  let secure: TestProcess;
  let browser: Browser;
  beforeAll(async () => {
    const { cert, key } = createAuthority().certify('DNS:localhost,IP:127.0.0.1');
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    secure = await startApi({ ...headway.env, TLS_CERT: cert, TLS_KEY: key });
  });
  afterAll(async () => {
    await browser.close();
    await secure.kill();
    await headway.stop();
  });

  async function openTab(context: BrowserContext, url: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(`${url}/healthz`);
    await page.evaluate((path) => {
      globalThis.tab = { source: new EventSource(path), data: [] };
      tab.source.onmessage = ({ data }) => tab.data.push(data);
    }, `/stream?channel=${CHANNEL}`);
    return page;
  }
  const isOpen = (page: Page): Promise<boolean> => page.evaluate(() => tab.source.readyState === 1);
  const has = (page: Page, what: string): Promise<boolean> =>
    page.evaluate((text) => tab.data.includes(text), what);
  const count = async (pages: Page[], holds: (page: Page) => Promise<boolean>): Promise<number> =>
    (await Promise.all(pages.map(holds))).filter(Boolean).length;
  const publish = async (data: string): Promise<void> => {
    const { status } = await call(`${headway.api.url}/v1/channels/${CHANNEL}`, 'POST', undefined, { data });
    expect(status).toBe(200);
  };
  async function openSeven(url: string): Promise<Page[]> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => context.close());
    const pages: Page[] = [];
    for (let i = 0; i < 7; i++) pages.push(await openTab(context, url));
    return pages;
  }

  it('all get every event over HTTP/2', async () => {
    const pages = await openSeven(secure.url);
    await until('all are open', async () => (await count(pages, isOpen)) === 7);
    await publish('to all');
    await until('all have it', async () => (await count(pages, (page) => has(page, 'to all'))) === 7);
    expect(
      await pages[0]!.evaluate(() => performance.getEntriesByType('navigation')[0]!.toJSON()),
    ).toMatchObject({
      nextHopProtocol: 'h2',
    });

    // The page itself, with its files and the stream of a job.
    const complaints: string[] = [];
    const page = pages[0]!;
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    await page.goto(`${secure.url}/`);
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.getByLabel(/^Count/).fill('3');
    await page.getByLabel(/^Interval/).fill('10');
    await page.getByRole('button', { name: 'Start the job' }).click();
    await page.getByRole('article').getByText('Completed').first().waitFor();
    expect(complaints).toEqual([]);
  });

  it('over HTTP/1.1, the seventh waits until another one is closed', async () => {
    const context = await browser.newContext();
    onTestFinished(() => context.close());
    const pages: Page[] = [];
    for (let i = 0; i < 6; i++) pages.push(await openTab(context, headway.api.url));
    await until('six are open', async () => (await count(pages, isOpen)) === 6);
    // Not even its page is loaded.
    const seventh = openTab(context, headway.api.url);
    await publish('to six');
    await until('six have it', async () => (await count(pages, (page) => has(page, 'to six'))) === 6);
    await pages[0]!.evaluate(() => tab.source.close());
    await until('its stream is open', async () => isOpen(await seventh));
    expect(await has(await seventh, 'to six')).toBe(false);
  });
});
