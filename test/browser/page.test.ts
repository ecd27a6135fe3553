import { Queue } from 'bullmq';
import type { Browser, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { startBrowser } from '../support/browser.js';
import type { Headway } from '../support/headway.js';
import { findingsOf, forgetVisitor, onEachScreen } from '../support/page.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('the page', () => {
  let headway: Headway;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    page = await browser.newPage({ acceptDownloads: true });
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
  });
  beforeEach(async () => {
    complaints = [];
    await page.goto(headway.api.url);
  });
  afterEach(async () => {
    await forgetVisitor(page, headway.api.url);
    expect(complaints).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  const bar = () => page.getByRole('progressbar').first();
  const value = async (): Promise<number> => Number(await bar().getAttribute('aria-valuenow'));

  const choose = (job: string): Promise<void> =>
    page.getByRole('radio', { name: new RegExp(`^${job}`) }).check();

  async function startSteps(count: number, intervalMs: number, failAt?: number): Promise<void> {
    await choose('steps');
    await page.getByLabel(/^Count/).fill(String(count));
    await page.getByLabel(/^Interval/).fill(String(intervalMs));
    if (failAt) await page.getByLabel(/^Fail at/).fill(String(failAt));
    await page.getByRole('button', { name: 'Start the job' }).click();
  }

  it('shows the progress of a job up to its result, across a reload', async () => {
    await startSteps(25, 250);
    await until('the bar moves', async () => (await value()) >= 10);
    const before = await value();
    await page.reload();
    await until('the bar shows the same progress again', async () => (await value()) >= before);
    expect(await value()).toBeLessThan(100);
    const seen: number[] = [];
    await until('the bar is full', async () => seen.push(await value()) > 0 && seen.at(-1) === 100);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBeGreaterThan(5);
    await page.getByRole('status').getByText('Completed').waitFor();
  });

  it('imports a CSV file and offers the result', async () => {
    await choose('csv-import');
    const rows = Array.from({ length: 3000 }, (_, i) => `${i},name ${i},${i % 1000 === 7 ? 'x' : i}`);
    await page.locator('input[type=file]').setInputFiles({
      name: 'list.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(`id,name,amount\n${rows.join('\n')}\n`),
    });
    await page.getByRole('button', { name: 'Start the job' }).click();
    const link = page.getByRole('link', { name: /list\.sqlite/ });
    await link.waitFor();
    const warnings = page.getByRole('list', { name: 'Warnings' }).getByRole('listitem');
    expect(await warnings.allTextContents()).toEqual(['3 of 3000 rows rejected: 3 × not of type integer']);
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toBe('list.sqlite');
    expect(await download.failure()).toBeNull();
  });

  it('can be tried at once: fields have examples, and a missing file is made', async () => {
    const tryIt = page.getByRole('button', { name: 'Try it with an example file' });
    for (const [kind, result] of [
      ['checksum', page.getByRole('term').getByText('digest')],
      ['csv-import', page.getByRole('link', { name: /people\.sqlite/ })],
      ['image-variants', page.getByRole('link', { name: /picture-variants\.zip/ })],
    ] as const) {
      await choose(kind);
      await tryIt.click();
      await result.waitFor();
    }
    // The rows of a kind can be told apart.
    const rows = page.getByRole('navigation', { name: 'Your jobs' }).getByRole('link');
    expect(await rows.allInnerTexts()).toEqual([
      'image-variants\npicture.png',
      'csv-import\npeople.csv',
      'checksum\nzeros.bin',
    ]);
    await choose('steps');
    expect(await tryIt.count()).toBe(0);
    expect(await page.getByLabel(/^Count/).inputValue()).toBe('50');
    await page.getByRole('button', { name: 'Start the job' }).click();
    await page.getByRole('heading', { name: 'steps' }).waitFor();
  });

  it('draws a picture while it is computed, even after a reload, until it is complete', async () => {
    await choose('mandelbrot');
    await page.getByLabel(/^Width/).fill('320');
    await page.getByLabel(/^Height/).fill('240');
    await page.getByLabel(/^Iterations/).fill('20000');
    await page.getByLabel(/^Tile/).fill('40');
    await page.getByRole('button', { name: 'Start the job' }).click();
    const picture = page.getByRole('img', { name: /^Picture of 320 by 240 pixels/ });
    const share = async (): Promise<number> =>
      Number(/(\d+) % drawn/.exec((await picture.getAttribute('aria-label')) ?? '')?.[1]);
    // On a busy machine, the thread of the job starts late.
    await picture.waitFor({ timeout: 40_000 });
    await until('a part of the picture is drawn', async () => (await share()) >= 10);
    // The worker pauses while the page loads: otherwise it would need a picture that takes longer.
    const worker = headway.workers[0]!.child;
    worker.kill('SIGSTOP');
    onTestFinished(() => void worker.kill('SIGCONT'));
    await page.reload();
    await until('the earlier tiles are drawn again', async () => (await share()) >= 10);
    expect(await share()).toBeLessThan(100);
    worker.kill('SIGCONT');
    await page.getByRole('status').getByText('Completed').waitFor({ timeout: 40_000 });
    expect(await share()).toBe(100);
    /** The colours of a point inside the set and of the last corner, as shown. */
    const colours = async (): Promise<number[][]> => {
      // biome-ignore lint/suspicious/noExplicitAny: a canvas; tests are compiled without the types of the DOM
      const url = await picture.evaluate((canvas: any) => canvas.toDataURL() as string);
      const pixels = await sharp(Buffer.from(url.split(',')[1] ?? '', 'base64'))
        .ensureAlpha()
        .raw()
        .toBuffer();
      return [160 + 120 * 320, 319 + 239 * 320].map((at) => [...pixels.subarray(4 * at, 4 * at + 4)]);
    };
    const [inside, corner] = await until('the last tile is on the canvas', async () => {
      const seen = await colours();
      return seen[1]?.[3] === 255 ? seen : undefined;
    });
    expect(inside).toEqual([0, 0, 0, 255]);
    expect(corner).not.toEqual([0, 0, 0, 255]);
    await page.getByRole('link', { name: 'mandelbrot.png' }).waitFor();
  });

  it('shows text as it grows, and all of it after a reload', async () => {
    const words = 'the old pond a frog jumps in the sound of water';
    await choose('poem');
    await page.getByLabel(/^Words/).fill(words);
    await page.getByRole('button', { name: 'Start the job' }).click();
    const text = page.getByRole('log', { name: /result/i });
    await text.getByText('the old pond').waitFor();
    expect(await text.innerText()).not.toContain('water');
    await page.reload();
    await page.getByRole('status').getByText('Completed').waitFor();
    expect((await text.innerText()).trim()).toBe(words);
  });

  it('creates variants of an image from the file alone', async () => {
    await choose('image-variants');
    await page.locator('input[type=file]').setInputFiles({
      name: 'photo.png',
      mimeType: 'image/png',
      buffer: await sharp({ create: { width: 640, height: 480, channels: 3, background: 'teal' } })
        .png()
        .toBuffer(),
    });
    await page.getByRole('button', { name: 'Start the job' }).click();
    const link = page.getByRole('link', { name: /photo-variants\.zip/ });
    await link.waitFor();
    expect(await value()).toBe(100);
  });

  it('shows why a job failed', async () => {
    await startSteps(10, 20, 4);
    await page.getByText('failed at step 4, as asked').first().waitFor();
    expect(await value()).toBe(30);
  });

  it('cancels a job, and runs it again', async () => {
    await startSteps(40, 250);
    await until('the bar moves', async () => (await value()) > 0);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('status').getByText('Cancelled').waitFor();
    await page.getByRole('button', { name: 'Run again' }).click();
    await page.getByRole('status').getByText('Running').waitFor();
    await until('the bar moves', async () => (await value()) > 0);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('status').getByText('Cancelled').waitFor();
  });

  it('shows that a job waits because its kind is paused, until it is resumed', async () => {
    const queue = new Queue('steps', { connection: headway.connection, prefix: '{headway}' });
    await queue.pause();
    await startSteps(1, 1);
    await page.getByRole('status').getByText('Waiting (paused)').waitFor();
    await page.reload();
    await page.getByRole('status').getByText('Waiting (paused)').waitFor();
    await queue.resume();
    await page.getByRole('status').getByText('Completed').waitFor();
    await queue.close();
  });

  it('can be used with the keyboard alone', async () => {
    const chosen = () => page.getByRole('radio', { checked: true }).getAttribute('value');
    await page.getByRole('radio', { checked: true }).focus();
    for (let i = 0; i < 10 && (await chosen()) !== 'steps'; i++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Tab');
    await page.keyboard.type('3');
    await page.keyboard.press('Tab');
    await page.keyboard.type('10');
    await page.keyboard.press('Enter');
    await until('the bar is full', async () => (await bar().count()) > 0 && (await value()) === 100);
  });

  it('is in the language of the browser, and remembers the one of the address', async () => {
    const context = await browser.newContext({ locale: 'de-AT' });
    const german = await context.newPage();
    german.setDefaultTimeout(10_000);
    await german.goto(headway.api.url);
    await german.getByRole('radio', { name: /^steps/ }).check();
    await german.getByLabel(/^Count/).fill('2000');
    await german.getByRole('button', { name: 'Job starten' }).click();
    await german.getByText('1 Job läuft, 0 % erledigt').waitFor();
    await german.getByRole('progressbar', { name: 'Fortschritt von steps' }).waitFor();
    await german.getByText(/^\d+ von 2\.000 steps$/).waitFor();
    expect(await german.locator('html').getAttribute('lang')).toBe('de');
    await german.getByRole('button', { name: 'Abbrechen' }).click();
    await german.getByRole('status').getByText('Abgebrochen').waitFor();
    await german.goto(`${headway.api.url}/dashboard?lang=ja`);
    await german.getByRole('heading', { name: /^実行中のジョブ/ }).waitFor();
    expect(await german.title()).toBe('ダッシュボード · Headway');
    await german.getByRole('link', { name: 'ジョブを開始' }).click();
    await german.getByRole('button', { name: 'ジョブを開始' }).waitFor();
    await context.close();
  });

  it('has no axe findings and no horizontal scrolling on any screen', async () => {
    await startSteps(5, 10, 4);
    await page.getByText('failed at step 4, as asked').first().waitFor();
    await onEachScreen(page, async (screen, rules) =>
      expect(await findingsOf(page, { rules }), screen).toEqual([]),
    );
  });
});
