import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { commandOf, type RunningCommand, startServer } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { openPage, takePictures } from '../support/page.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('examples/html: plain EventSource', () => {
  let headway: Headway;
  let browser: Browser;
  let server: RunningCommand & { url: string };
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    server = await startServer(commandOf('html', 'serve'), { HEADWAY_URL: headway.api.url });
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await headway.stop();
  });

  it('moves the bar of a job to its end', async () => {
    const { page, complaints } = await openPage(browser, server.url);
    await page.getByRole('button', { name: 'Start the job' }).click();
    const bar = page.getByRole('progressbar');
    const seen: number[] = [];
    await until('the bar is full', async () => {
      seen.push(Number(await bar.getAttribute('value')));
      return seen.at(-1) === 100;
    });
    expect(new Set(seen).size).toBeGreaterThan(5);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await page.getByText('Completed: {"steps":40}').waitFor();
    await takePictures(page, 'html');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows a message to all pages, and to one that is opened later', async () => {
    const [one, other] = await Promise.all([openPage(browser, server.url), openPage(browser, server.url)]);
    await one.page.getByLabel(/^Message to all/).fill('Tea is ready <b>now</b>');
    await one.page.getByRole('button', { name: 'Send' }).click();
    for (const { page } of [one, other, await openPage(browser, server.url)]) {
      await page.getByRole('listitem').getByText('Tea is ready <b>now</b>').waitFor();
    }
    expect([...one.complaints, ...other.complaints]).toEqual([]);
  });
});
