import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { commandOf, type RunningCommand, startServer } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { openPage, takePictures } from '../support/page.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('examples/htmx: htmx with its SSE extension', () => {
  let headway: Headway;
  let browser: Browser;
  let server: RunningCommand & { url: string };
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    server = await startServer(commandOf('htmx', 'serve'), { HEADWAY_URL: headway.api.url });
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await headway.stop();
  });

  async function startJob(fail: boolean) {
    const { page, complaints } = await openPage(browser, server.url);
    await page.evaluate(`htmx.createEventSource = (url) => (window.source = new EventSource(url))`);
    if (fail) await page.getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Start the job' }).click();
    return { page, complaints };
  }
  const CLOSED = 2;

  it('swaps in the bar and the log, and closes the stream at the end', async () => {
    const { page, complaints } = await startJob(false);
    const bar = page.getByRole('progressbar', { name: 'Progress' });
    const seen: number[] = [];
    await until('the bar has moved', async () => {
      seen.push(Number(await bar.getAttribute('value')));
      return seen.at(-1)! >= 50;
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await page.getByRole('listitem').getByText('30 steps of 50 ms').waitFor();
    await takePictures(page, 'htmx');
    await page.getByRole('status').getByText('Completed after 30 steps.').waitFor();
    expect(await page.evaluate('source.readyState')).toBe(CLOSED);
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('shows why a job failed', async () => {
    const { page, complaints } = await startJob(true);
    await page.getByRole('status').getByText('Failed: failed at step 10, as asked').waitFor();
    expect(await page.evaluate('source.readyState')).toBe(CLOSED);
    expect(complaints).toEqual([]);
  });
});
