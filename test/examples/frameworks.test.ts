import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { commandOf, type RunningCommand, startServer } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { openPage, takePictures } from '../support/page.js';
import { freePort } from '../support/redis.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('examples with a framework', () => {
  let headway: Headway;
  let browser: Browser;
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  describe.each([
    { name: 'vue', command: commandOf('vue', 'serve') },
    { name: 'react', command: commandOf('react', 'serve') },
  ])('examples/$name', ({ name, command }) => {
    let server: RunningCommand & { url: string };
    beforeAll(async () => {
      const PORT = String(await freePort());
      server = await startServer(command, { HEADWAY_URL: headway.api.url, PORT });
    });
    afterAll(() => server.stop());

    it('moves the bar of a job to its end, and cancels a job', async () => {
      const { page, complaints } = await openPage(browser, server.url);
      await page.getByRole('button', { name: 'Start the job' }).click();
      const bar = page.getByRole('progressbar');
      const seen: number[] = [];
      await until('the bar is full', async () => {
        const value = await bar.getAttribute('value');
        if (value !== null) seen.push(Number(value));
        return seen.at(-1) === 100;
      });
      expect(new Set(seen).size).toBeGreaterThan(5);
      expect(seen).toEqual([...seen].sort((a, b) => a - b));
      await page.getByRole('status').getByText('completed: 40 steps').waitFor();
      await page.getByRole('listitem').getByText('40 steps of 50 ms').waitFor();
      await takePictures(page, name);
      await page.getByRole('button', { name: 'Start the job' }).click();
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('status').getByText('cancelled').waitFor();
      expect(complaints).toEqual([]);
      await page.close();
    });

    it('shows a message to all pages, and to one that is opened later', async () => {
      const [one, other] = await Promise.all([openPage(browser, server.url), openPage(browser, server.url)]);
      await one.page.getByLabel(/^Message to all/).fill(`Tea is ready <b>${name}</b>`);
      await one.page.getByRole('button', { name: 'Send' }).click();
      for (const { page, complaints } of [one, other, await openPage(browser, server.url)]) {
        await page.getByRole('listitem').getByText(`Tea is ready <b>${name}</b>`).waitFor();
        expect(complaints).toEqual([]);
      }
    });
  });
});
