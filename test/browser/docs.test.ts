import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import type { Headway } from '../support/headway.js';
import { COLOR_RULES, findingsOf } from '../support/page.js';
import { borrowHeadway } from '../support/shared-headway.js';

const SCREENS: Array<[string, BrowserContextOptions]> = [
  ['a desktop, light', { viewport: { width: 1280, height: 900 }, colorScheme: 'light' }],
  ['a desktop, dark', { viewport: { width: 1280, height: 900 }, colorScheme: 'dark' }],
  ['a phone, light', { viewport: { width: 360, height: 740 }, colorScheme: 'light' }],
  ['a phone, dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
];

describe('/docs', () => {
  let headway: Headway;
  let browser: Browser;
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  /** Opens the reference, and records errors and requests to other origins. */
  async function open(options: BrowserContextOptions): Promise<{ page: Page; complaints: string[] }> {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(60_000);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== headway.api.url) complaints.push(request.url());
    });
    return { page, complaints };
  }

  it.each(SCREENS)(
    'shows every part on %s, with resources of the same origin only, and has links to and from the other pages',
    async (_what, options) => {
      const { page, complaints } = await open(options);
      // In the dark, only the colours are different.
      const rules = options.colorScheme === 'dark' ? COLOR_RULES : undefined;
      await page.goto(`${headway.api.url}/docs`);
      await page.getByText('Start long-running jobs and follow their progress live').waitFor();
      const routes = [
        ['post-/v1/jobs', 'Start a job'],
        ['get-/v1/jobs/-id-/events', 'An attempt has failed and another one follows'],
        ['cmp--schemas-progress', 'The progress of a job'],
      ] as const;
      // On a phone, the renderer has no menu, and shows schemas only with their operations.
      for (const [route, text] of options.viewport!.width < 600 ? routes.slice(0, 2) : routes) {
        await page.evaluate((hash) => {
          (globalThis as unknown as { location: { hash: string } }).location.hash = hash;
        }, `?route=${route}`);
        // Collapsed parts can contain the same text.
        await page.getByText(text).filter({ visible: true }).first().waitFor();
        expect(await findingsOf(page, { impacts: ['serious', 'critical'], rules }), route).toEqual([]);
      }
      expect(complaints).toEqual([]);

      for (const [link, path] of [
        ['Dashboard', '/dashboard'],
        ['Reference', '/docs'],
        ['Start a job', '/'],
        ['Reference', '/docs'],
      ] as const) {
        await page
          .getByRole('navigation', { name: 'Pages' })
          .getByRole('link', { name: link, exact: true })
          .click();
        await page.waitForURL(`${headway.api.url}${path}`);
      }
      // The renderer fills the rest of the window, and only its content scrolls.
      await page.getByText('Start long-running jobs and follow their progress live').waitFor();
      expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0);
      // The browser logs the 401 for the list of jobs of a visitor without jobs.
      expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
      await page.close();
    },
    120_000,
  );

  it('tries out a call', async () => {
    const { page, complaints } = await open(SCREENS[0]![1]);
    await page.goto(`${headway.api.url}/docs#?route=get-/v1/definitions`);
    const answered = page.waitForResponse((response) => response.url().includes('/v1/definitions'));
    await page.getByRole('button', { name: 'Execute' }).click();
    expect((await answered).status()).toBe(200);
    await page.getByText('"csv-import"').first().waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('loads scripts and images only from the same origin, and sends requests only to it', async () => {
    const answer = await fetch(`${headway.api.url}/docs`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toMatch(/^text\/html/);
    const policy = (answer.headers.get('content-security-policy') ?? '').split(';');
    expect(policy).toEqual(expect.arrayContaining(["default-src 'self'", "img-src 'self' data:"]));
    expect(policy.filter((directive) => directive.includes('unsafe'))).toEqual([
      "style-src 'self' 'unsafe-inline'",
    ]);
    const page = await fetch(`${headway.api.url}/`);
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe');
  });
});
