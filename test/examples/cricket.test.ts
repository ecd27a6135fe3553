import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { commandOf, type RunningCommand, runToEnd, startServer } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { openPage, takePictures } from '../support/page.js';
import { openRawViewers } from '../support/raw-viewers.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

const VIEWERS = 500;
const { balls } = JSON.parse(readFileSync('examples/cricket/innings.json', 'utf8')) as { balls: unknown[] };

describe('examples/cricket: a score board', () => {
  let headway: Headway;
  let browser: Browser;
  let server: RunningCommand & { url: string };
  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    server = await startServer(commandOf('cricket', 'serve'), { HEADWAY_URL: headway.api.url });
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await headway.stop();
  });

  it(`sends every ball to ${VIEWERS} viewers and a page, and the current score to a late viewer`, async () => {
    const numberOf = (line: string): number | undefined => {
      const number = /^data: \{"number":(\d+)/.exec(line)?.[1];
      return number === undefined ? undefined : Number(number);
    };
    const [viewers, live] = await Promise.all([
      openRawViewers(`${headway.api.url}/stream?channel=public.cricket`, VIEWERS, numberOf),
      openPage(browser, server.url),
    ]);
    const printed = await runToEnd(commandOf('cricket', 'publish'), {
      HEADWAY_URL: headway.api.url,
      INTERVAL_MS: '1',
    });
    expect(printed).toMatch(/18\.4 {2}151\/10 {2}Okoro to Marsh, OUT!.*\n$/);

    const all = balls.map((_, i) => i + 1);
    await until('every viewer has the last ball', () =>
      viewers.seen.every((seen) => seen.length >= all.length),
    );
    for (const seen of viewers.seen) expect(seen).toEqual(all);
    viewers.close();

    const late = await openPage(browser, server.url);
    for (const { page, complaints } of [live, late]) {
      await page.getByRole('status', { name: 'Score' }).getByText('151 all out').waitFor();
      await page.getByText('The innings is over after 18.4 overs.').waitFor();
      await page.getByText('Larkhill Herons v Saltmere Gulls').waitFor();
      expect(complaints).toEqual([]);
    }
    const commentary = live.page.getByRole('list', { name: 'Ball by ball' }).getByRole('listitem');
    await until('the page has all balls', async () => (await commentary.count()) === all.length);
    await takePictures(late.page, 'cricket');
  });
});
