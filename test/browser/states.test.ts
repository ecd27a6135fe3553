import { Queue } from 'bullmq';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { bundle } from '../support/bundle.js';
import type { StartedJob } from '../support/client.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { findingsOf } from '../support/page.js';
import { startSite, type TestSite } from '../support/site.js';
import { until } from '../support/until.js';

const LONG_NAME = 'a-kind-of-job-with-a-name-that-is-long';
/** The states, and how much of the bar each of them fills, in every component. */
const STATES = {
  waiting: 0,
  delayed: 0,
  'failed before progress': 0,
  'cancelled before it began': 0,
  'active at 0 percent': 0,
  'active without numbers': 'stripes',
  'active at 40 percent': 0.4,
  'failed at 40 percent': 0.4,
  'retrying after 40 percent': 0.4,
  completed: 1,
} as const;
type State = keyof typeof STATES;

const VUE = `
import { createApp, h } from 'vue';
import { JobProgress } from '../../dist/client/vue/index.js';
createApp({
  render: () => JOBS.map(({ id, token }) => h('section', { 'data-job': id }, h(JobProgress, { job: id, token }))),
}).mount('#app');
`;

describe('the visible state of a job', () => {
  let headway: Headway;
  let browser: Browser;
  let context: BrowserContext;
  let site: TestSite;
  const jobs = {} as Record<State, StartedJob>;

  beforeAll(async () => {
    [headway, browser] = await Promise.all([
      startHeadway({
        env: {
          ADMIN_TOKEN,
          WORKER_CONCURRENCY: '20',
          JOB_LOG_LINES: '10000',
          JOBS_DIR: jobsDir('steered', { file: 'steered', name: LONG_NAME }, 'many-lines'),
        },
      }),
      startBrowser(),
    ]);
    const turns = (state: State): string => state.replaceAll(' ', '-');
    const steer = (state: State, ...what: string[]) => headway.connection.lpush(turns(state), ...what);
    const start = async (state: State, options?: Record<string, unknown>): Promise<void> => {
      jobs[state] = await headway.client.start('steered', { turns: turns(state) }, options);
    };
    await start('delayed', { delayMs: 3 * 86_400_000 });
    await start('failed before progress');
    await start('active at 0 percent');
    await start('active without numbers');
    await start('active at 40 percent');
    await start('failed at 40 percent');
    await start('retrying after 40 percent', { attempts: 3, backoff: { type: 'fixed', delayMs: 3_600_000 } });
    await start('completed');
    await start('cancelled before it began', { delayMs: 60_000 });
    await steer('failed before progress', 'fail');
    await steer('active at 0 percent', '0');
    await steer('active at 40 percent', '40');
    await steer('failed at 40 percent', '40', 'fail');
    await steer('retrying after 40 percent', '40', 'fail');
    await steer('completed', 'end');
    await headway.client.cancel(jobs['cancelled before it began']);
    const queue = new Queue(LONG_NAME, { connection: headway.connection, prefix: '{headway}' });
    await queue.setGlobalConcurrency(1);
    await queue.close();
    await headway.client.start(LONG_NAME, { turns: 'before-waiting' });
    jobs.waiting = await headway.client.start(LONG_NAME, { turns: 'waiting' });

    const known = Object.values(jobs).map(({ id, token }) => ({ id, token }));
    const elements = known
      .map(
        ({ id, token }) =>
          `<section data-job="${id}"><job-progress src="${id}" token="${token}"></job-progress></section>`,
      )
      .join('');
    const page = (body: string, head: string) =>
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>A site</title>${head}</head><body>${body}</body></html>`;
    site = await startSite(headway.api.url, {
      '/element': page(elements, '<script type="module" src="/client/element/index.js"></script>'),
      '/vue': page('<div id="app"></div>', '<script type="module" src="/vue.js"></script>'),
      '/vue.js': await bundle('vue-states.js', `const JOBS = ${JSON.stringify(known)};${VUE}`),
    });
    context = await browser.newContext({
      httpCredentials: { username: 'any', password: ADMIN_TOKEN },
      reducedMotion: 'reduce',
      acceptDownloads: true,
    });
    const signIn = await context.newPage();
    await signIn.goto(`${headway.api.url}/dashboard/sign-in`);
    await signIn.getByText('Live', { exact: true }).waitFor();
    await signIn.close();
  });
  afterAll(async () => {
    await browser.close();
    site.stop();
    await headway.stop();
  });

  async function open(url: string, size = { width: 1280, height: 900 }): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    await page.setViewportSize(size);
    await page.goto(url);
    return page;
  }

  /** Which columns of a screenshot of the bar are filled: dark, on a light track. */
  async function filled(bar: Locator): Promise<boolean[]> {
    const { data, info } = await sharp(await bar.screenshot())
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const row = Math.floor(info.height / 2) * info.width;
    // Leave out the rounded ends.
    return Array.from({ length: info.width - 8 }, (_, i) => data[(row + i + 4) * info.channels]! < 150);
  }
  const share = (columns: boolean[]): number => columns.filter(Boolean).length / columns.length;

  async function checkBar(state: State, bar: Locator): Promise<void> {
    await bar.waitFor();
    const wanted = STATES[state];
    let columns: boolean[] = [];
    await until(
      `the bar shows the state ${state}`,
      async () => {
        columns = await filled(bar);
        if (wanted !== 'stripes') return Math.abs(share(columns) - wanted) < 0.03;
        const quarters = [0, 1, 2, 3].map((i) =>
          share(columns.slice((i * columns.length) / 4, ((i + 1) * columns.length) / 4)),
        );
        return quarters.every((one) => one > 0.1 && one < 0.8);
      },
      5000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it is filled to ${share(columns)}`);
    });
  }
  const states = Object.keys(STATES) as State[];

  it('has a bar for each state, in the element and the Vue component', async () => {
    for (const [path, selector] of [
      ['/element', '[part=bar]'],
      ['/vue', '.headway-bar'],
    ]) {
      const page = await open(site.url + path);
      for (const state of states)
        await checkBar(state, page.locator(`[data-job="${jobs[state].id}"] ${selector}`));
      // The job has reported nothing since the tests began.
      await page
        .locator(`[data-job="${jobs['active at 40 percent'].id}"]`)
        .getByText(/^Running, stalled for \d+ s$/)
        .waitFor();
      await page.locator(`[data-job="${jobs.waiting.id}"]`).getByText('Waiting, next').waitFor();
      await page.close();
    }
  });

  it('has a bar for each state, on the page, with the day of a start and the time that a job took', async () => {
    const page = await open(`${headway.api.url}/#job=${Object.values(jobs).map(({ id }) => id)}`);
    for (const state of states) await checkBar(state, page.locator(`#job-${CSS_ID(jobs[state].id)} .bar`));
    const panel = (state: State) => page.locator(`#job-${CSS_ID(jobs[state].id)}`);
    await panel('delayed')
      .getByText(/^steered: Starts on /)
      .waitFor();
    await panel('completed').getByText('Took').waitFor();
    await panel('waiting').getByText('next', { exact: true }).waitFor();
    await panel('active at 40 percent')
      .getByText(/^stalled for \d+ s$/)
      .waitFor();
    await page.close();
  });

  it("has a bar for each state, on the dashboard's page of a job", async () => {
    const page = await open('about:blank');
    for (const state of [
      'waiting',
      'delayed',
      'failed before progress',
      'active without numbers',
      'completed',
    ] as const) {
      await page.goto(`${headway.api.url}/dashboard/jobs/${jobs[state].id}`);
      await checkBar(state, page.locator('.bar'));
    }
    await page.close();
  });

  it('fits the bars of the dashboard on a phone, and all columns on a tablet', async () => {
    const page = await open(`${headway.api.url}/dashboard`, { width: 360, height: 800 });
    const bar = page.locator('.active-jobs .bar');
    await bar.first().waitFor();
    expect((await bar.first().boundingBox())!.width).toBeGreaterThan(250);
    expect(await findingsOf(page)).toEqual([]);
    for (const width of [360, 768]) {
      await page.setViewportSize({ width, height: 800 });
      const cells = page.locator('.wide-table tr', { hasText: LONG_NAME }).locator('td');
      for (const cell of await cells.all()) {
        const { x, width: wide } = (await cell.boundingBox())!;
        expect(x + wide).toBeLessThanOrEqual(width);
      }
      expect(await cells.count()).toBe(7);
    }
    await page.close();
  });

  it('keeps the keyboard focus after starting and cancelling a job, and closing a panel', async () => {
    const page = await open(headway.api.url);
    const focused = () => page.evaluate('document.activeElement.innerText || document.activeElement.tagName');
    await page.getByRole('radio', { name: /^steps/ }).check();
    await page.getByLabel(/^Count/).fill('100');
    await page.getByLabel(/^Interval/).fill('500');
    await page.getByRole('button', { name: 'Start the job' }).focus();
    await page.keyboard.press('Enter');
    const cancel = page.getByRole('button', { name: 'Cancel' });
    await cancel.waitFor();
    await until('the form can be submitted again', async () => (await focused()) === 'Start the job');
    await cancel.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Run again' }).waitFor();
    expect(await focused()).not.toBe('BODY');
    expect(await page.evaluate("document.activeElement.closest('article') !== null")).toBe(true);
    await page.getByRole('button', { name: 'Close steps' }).focus();
    await page.keyboard.press('Enter');
    await until('the job is closed', async () => (await page.getByRole('article').count()) === 0);
    expect(await page.evaluate('document.activeElement !== document.body')).toBe(true);
    await page.close();
  });

  describe('in both directions of a page', () => {
    const DIRECTIONS = [
      ['ltr', 'left'],
      ['rtl', 'right'],
    ] as const;
    const turn = (page: Page, dir: string) => page.evaluate(`document.documentElement.dir = '${dir}'`);

    it('lays out each text by its own letters, aligned with the start of the page', async () => {
      const job = await headway.client.start('steered', { turns: 'letters' });
      const message = 'ייבוא אנשים, people.csv (שלב 2)';
      await headway.connection.lpush(
        'letters',
        'log שורה 7: imported people.csv!',
        'log line 8: imported אנשים.',
        'log سطر ٩: تم، people.csv',
        JSON.stringify({ current: 400, total: 1000, stage: 'ייבוא (2)', message }),
      );
      const page = await open(`${headway.api.url}/#job=${job.id}`);
      const panel = page.getByRole('article');
      const lines = panel.getByRole('log').locator('bdi:not(.log-fields)');
      await until('all lines are shown', async () => (await lines.count()) === 3);
      await page.getByRole('radio', { name: /^checksum/ }).check();
      const name = 'תמונה (1), copy.png';
      await page
        .locator('input[type=file]')
        .setInputFiles({ name, mimeType: 'image/png', buffer: Buffer.from('x') });
      for (const [dir, starts] of DIRECTIONS) {
        await turn(page, dir);
        // For each pair in reading order, the first part is on the side where its text begins.
        await expectOrder(lines.nth(0), 'rtl', 'שורה', 'imported');
        await expectOrder(lines.nth(0), 'ltr', 'imported', 'people.csv');
        await expectOrder(lines.nth(0), 'rtl', 'imported people.csv', '!');
        await expectOrder(lines.nth(1), 'ltr', 'line 8', 'אנשים');
        await expectOrder(lines.nth(1), 'ltr', 'אנשים', '.');
        await expectOrder(lines.nth(2), 'rtl', 'سطر', 'people.csv');
        const shown = panel.getByText(message, { exact: true });
        await expectOrder(shown, 'rtl', 'ייבוא', 'people.csv');
        await expectOrder(shown, 'rtl', 'people.csv', '(שלב');
        for (const text of [shown, panel.getByRole('heading', { name: 'steered' }), lines.nth(1)])
          expect(await sideOf(text, panel), dir).toBe(starts);
        const file = page.locator('.file bdi', { hasText: name });
        await expectOrder(file, 'rtl', 'תמונה', '(1)');
        await expectOrder(file, 'rtl', '(1)', 'copy.png');
      }
      await page.close();
    });

    it('fills bars from the side where the page begins', async () => {
      const { id } = jobs['active at 40 percent'];
      for (const [url, bar, fill] of [
        [`${headway.api.url}/#job=${id}`, `#job-${CSS_ID(id)} .bar`, '.bar-fill'],
        [`${site.url}/element`, `[data-job="${id}"] [part=bar]`, '[part=fill]'],
        [`${site.url}/vue`, `[data-job="${id}"] .headway-bar`, '.headway-fill'],
      ] as const) {
        const page = await open(url);
        for (const [dir, starts] of DIRECTIONS) {
          await turn(page, dir);
          const [whole, part] = [page.locator(bar), page.locator(`${bar} ${fill}`)];
          await until(`${bar} is filled to 40 percent from the ${starts}`, async () => {
            const [all, some] = [await whole.boundingBox(), await part.boundingBox()];
            if (!all || !some || Math.abs(some.width / all.width - 0.4) > 0.01) return false;
            const from = dir === 'rtl' ? all.x + all.width - some.x - some.width : some.x - all.x;
            return Math.abs(from) < 1;
          });
        }
        await page.close();
      }
    });
  });

  it('shows a log of thousands of lines at once, and searches, copies and saves all of it', async () => {
    const job = await headway.client.start('many-lines', { lines: 4000 });
    const { id } = job;
    await until('the job has ended', async () => (await headway.client.result(job)).status === 200);
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: headway.api.url });
    const page = await open(`${headway.api.url}/dashboard/jobs/${id}`);
    const began = Date.now();
    await page.getByText('4,000 lines', { exact: true }).waitFor();
    const log = page.getByRole('log', { name: /^Log/ });
    await log.getByText('line 3999', { exact: true }).waitFor();
    // A thousand lines used to take 30 s. The limit allows for a busy machine.
    expect(Date.now() - began).toBeLessThan(5000);
    expect(await log.locator('p').count()).toBeLessThan(100);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${id}.log`);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    const saved = Buffer.concat(chunks).toString().trimEnd().split('\n');
    expect(saved.map((line) => / line (\d+) /.exec(line)?.[1])).toEqual(
      Array.from({ length: 4000 }, (_, i) => String(i)),
    );
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('Copied 4,000 lines').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(`${saved.join('\n')}\n`);
    await page.getByRole('searchbox', { name: 'Search the log' }).fill('warn');
    await page.getByText('4 of 4,000 lines shown').waitFor();
    await log.getByText('line 1007', { exact: true }).waitFor();
    expect(await log.locator('p').count()).toBe(4);
    await page.close();

    const busy = await context.newPage();
    await busy.addInitScript(IN_ONE_PIECE);
    await busy.goto(`${headway.api.url}/dashboard/jobs/${id}`);
    await busy.getByRole('log').getByText('line 3999', { exact: true }).waitFor({ timeout: 10_000 });
    await busy.close();
  });
});

/** Passes on the stream of a job that has ended in one piece, as a page gets it on a busy machine. */
const IN_ONE_PIECE = `
delete globalThis.SharedWorker;
globalThis.ownFetch = globalThis.fetch;
globalThis.fetch = async (...call) => {
  const response = await globalThis.ownFetch(...call);
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
  let held = '';
  const hold = new TransformStream({
    transform(text, out) {
      held += text;
      if (!held.includes('event: completed')) return;
      out.enqueue(held);
      held = '';
    },
  });
  const body = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(hold).pipeThrough(new TextEncoderStream());
  return new Response(body, response);
};
`;

/** The horizontal position of a part of an element's text, in px. */
const spanOf = (text: Locator, part: string): Promise<{ left: number; right: number }> =>
  text.evaluate((element, wanted) => {
    // biome-ignore lint/suspicious/noExplicitAny: tests are compiled without the types of the DOM
    const { document } = globalThis as any;
    const range = document.createRange();
    const texts = document.createTreeWalker(element, 4);
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const at = node.textContent.indexOf(wanted);
      if (at < 0) continue;
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      const { left, right } = range.getBoundingClientRect();
      return { left, right };
    }
    throw new Error(`no ${wanted} in ${element.textContent}`);
  }, part);

/** Expects the first of two parts of a text to be to the left of the other, or to the right. */
async function expectOrder(text: Locator, dir: 'ltr' | 'rtl', first: string, then: string): Promise<void> {
  const [a, b] = [await spanOf(text, first), await spanOf(text, then)];
  const gap = dir === 'ltr' ? b.left - a.right : a.left - b.right;
  expect(gap, `${first} before ${then}, ${dir}`).toBeGreaterThan(-1);
}

/** The side of a box that a text is aligned with. */
async function sideOf(text: Locator, box: Locator): Promise<'left' | 'right'> {
  const all = ((await text.textContent()) ?? '').trim();
  const [own, around] = [await spanOf(text, all), (await box.boundingBox())!];
  return own.left - around.x < around.x + around.width - own.right ? 'left' : 'right';
}

/** Escapes a job's id for a selector. */
const CSS_ID = (id: string): string => id.replace(/[^\w-]/g, '\\$&');
