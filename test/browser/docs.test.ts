import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import type { Headway } from '../support/headway.js';
import { COLOR_RULES, findingsOf } from '../support/page.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

/** The sizes of a desktop and of a phone. */
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };

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

  it.each(['desktop', 'phone'] as const)(
    'shows every part on a %s, light and dark, with resources of the same origin only, and has links to and from the other pages',
    async (device) => {
      const { page, complaints } = await open({ viewport: SIZES[device] });
      await page.goto(`${headway.api.url}/docs`);
      await page.getByText('Start long-running jobs and follow their progress live').waitFor();
      const routes = [
        ['post-/v1/jobs', 'Start a job'],
        ['get-/v1/jobs/-id-/events', 'An attempt has failed and another one follows'],
        ['cmp--schemas-progress', 'The progress of a job'],
      ] as const;
      // On a phone, the renderer has no menu, and shows schemas only with their operations.
      const shown = device === 'phone' ? routes.slice(0, 2) : routes;
      for (const [route, text] of shown) {
        await page.emulateMedia({ colorScheme: 'light' });
        await page.evaluate((hash) => {
          (globalThis as unknown as { location: { hash: string } }).location.hash = hash;
        }, `?route=${route}`);
        // Collapsed parts can contain the same text.
        await page.getByText(text).filter({ visible: true }).first().waitFor();
        // On a phone, an operation stays open when the next one is opened: both are checked together.
        if (device === 'phone' && route !== shown.at(-1)![0]) continue;
        if (route.startsWith('cmp--')) await keepFewSchemas(page, route);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          // In the dark, only the colours are different.
          const rules = colorScheme === 'dark' ? COLOR_RULES : undefined;
          let findings: string[] = [];
          // The colours of the renderer change over some milliseconds.
          await until(
            () => `${route} is accessible, ${colorScheme}: ${findings.join('\n')}`,
            async () => {
              findings = await findingsOf(page, { impacts: ['serious', 'critical'], rules });
              return findings.length === 0;
            },
          );
        }
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
        // The renderer of the reference adds a fragment to its address.
        await page.waitForURL((url) => url.pathname === path);
      }
      // The renderer fills the rest of the window, and only its content scrolls.
      await page.getByText('Start long-running jobs and follow their progress live').waitFor();
      expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0);
      // The browser logs the 401 for the list of jobs of a visitor without jobs.
      expect(complaints.filter((text) => !text.includes('401'))).toEqual([]);
      await page.close();
    },
    180_000,
  );

  it('tries out a call', async () => {
    const { page, complaints } = await open({ viewport: SIZES.desktop });
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

/**
 * Removes schemas from the page. The renderer lists all of them, 16,000 elements that are drawn alike: axe would need ten
 * seconds of CPU. That of the address and ten others stand for them.
 */
async function keepFewSchemas(page: Page, id: string): Promise<void> {
  const left = await page.evaluate((kept) => {
    // biome-ignore lint/suspicious/noExplicitAny: tests are compiled without the types of the DOM
    const { shadowRoot } = (globalThis as any).document.querySelector('openapi-explorer');
    const all = [...shadowRoot.querySelectorAll('[id^="cmp--schemas-"]')];
    for (const schema of all.slice(10)) if (schema.id !== kept) schema.remove();
    return shadowRoot.querySelectorAll('[id^="cmp--schemas-"]').length;
  }, id);
  expect(left).toBe(11);
}
