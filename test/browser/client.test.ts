import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { bundle } from '../support/bundle.js';
import type { Headway } from '../support/headway.js';
import { findingsOf, forgetVisitor, onEachScreen } from '../support/page.js';
import { startProxy } from '../support/proxy.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { startSite, type TestSite } from '../support/site.js';
import { until } from '../support/until.js';

const html = (body: string, head = ''): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>A site</title>${head}</head><body><main><h1>A site</h1>${body}</main></body></html>`;

/** A page with functions to start jobs. */
const START = html(
  '',
  `<script type="module">
import { createClient } from '/client/index.js';
const client = createClient();
globalThis.start = async (name, data) => {
  const { id, token } = await client.startJob(name, data);
  return { id, token };
};
globalThis.client = client;
</script>`,
);

/** A page with only the element, for the job in its address. */
const ELEMENT = html(
  '<div id="place"></div><job-progress lang="fr" hidden></job-progress>',
  `<script type="module">
import { JobProgressElement } from '/client/element/index.js';
JobProgressElement.languages.fr = { progress: 'Avancement' };
const bar = document.createElement('job-progress');
bar.setAttribute('label', 'Import of people.csv');
bar.setAttribute('src', '/v1/jobs/' + location.hash.slice(1) + '/events');
document.querySelector('#place').append(bar);
</script>`,
);

/** The events that the pages list in order. */
const SEEN = 'const SEEN = /^(waiting|active|cancelled|completed)$/;';

const REACT = `${SEEN}
import { createElement as h, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useJob } from '../../dist/client/react/index.js';
function Bar() {
  const [seen, setSeen] = useState([]);
  const onEvent = ({ event }) => SEEN.test(event) && setSeen((all) => [...all, event]);
  const { state, percent, logs, cancel, retry } = useJob(location.hash.slice(1), { onEvent });
  return h('div', null, h('p', { className: 'seen' }, seen.join()), h('progress', { value: percent ?? 0, max: 100 }), h('output', null, state),
    h('ul', null, logs.map(({ message }, i) => h('li', { key: i }, message))),
    h('button', { onClick: cancel }, 'Cancel'), h('button', { onClick: retry }, 'Again'));
}
createRoot(document.querySelector('#app')).render(h(StrictMode, null, h(Bar)));
`;

const VUE = `${SEEN}
import { createApp, defineComponent, h, ref } from 'vue';
import { headway, JobProgress, useJob } from '../../dist/client/vue/index.js';
const app = createApp(defineComponent({
  sse: { cleanup: true },
  data: () => ({ events: [] }),
  setup() {
    const seen = ref([]);
    const onEvent = ({ event }) => SEEN.test(event) && seen.value.push(event);
    const { state, percent, job, cancel, retry } = useJob(location.hash.slice(1), { onEvent });
    return { seen, state, percent, job, cancel, retry };
  },
  async mounted() {
    const stream = this.$sse.create({ url: '/v1/jobs/' + location.hash.slice(1) + '/events', format: 'json' });
    stream.on('active', (data) => this.events.push('active ' + data.attempt));
    await stream.connect();
  },
  render() {
    return h('div', [h('progress', { value: this.percent ?? 0, max: 100 }), h('output', this.state),
      h('ul', this.job.logs.map(({ message }) => h('li', message))),
      h('p', { class: 'events' }, this.events.join()),
      h('p', { class: 'seen' }, this.seen.join()),
      h(JobProgress, { job: location.hash.slice(1), label: 'Import' }),
      h('button', { onClick: this.cancel }, 'Cancel'), h('button', { onClick: this.retry }, 'Again')]);
  },
}));
app.use(headway, { sse: true });
app.mount('#app');
`;

/** The stores through the functions of Svelte, as its compiler uses them. */
const SVELTE = `${SEEN}
import { derived, get, readable } from 'svelte/store';
import { jobStore } from '../../dist/client/svelte/index.js';
const app = document.querySelector('#app');
app.innerHTML = '<p class="seen"></p><progress max="100"></progress><output></output><button>Cancel</button><button>Again</button>';
const seen = [];
const job = jobStore(location.hash.slice(1), {
  onEvent({ event }) {
    if (SEEN.test(event)) seen.push(event);
  },
});
const [cancel, again] = app.querySelectorAll('button');
cancel.onclick = job.cancel;
again.onclick = job.retry;
derived([job, readable(100)], ([{ percent, state }, most]) => [percent ?? 0, most, state]).subscribe(([percent, most, state]) => {
  app.querySelector('progress').setAttribute('value', percent);
  app.querySelector('output').textContent = most && state;
  app.querySelector('.seen').textContent = seen.join();
});
globalThis.shown = () => get(job).state;
`;

describe('the client in a browser', () => {
  let headway: Headway;
  let browser: Browser;
  let site: TestSite;
  let context: BrowserContext;
  let first: Page;
  let complaints: string[] = [];

  beforeAll(async () => {
    const app = '<div id="app"></div>';
    const [react, vue, svelte] = await Promise.all([
      bundle('react-page.js', REACT),
      bundle('vue-page.js', VUE),
      bundle('svelte-page.js', SVELTE),
    ]);
    [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
    site = await startSite(headway.api.url, {
      '/start': START,
      '/element': ELEMENT,
      '/react': html(app, '<script type="module" src="/react.js"></script>'),
      '/react.js': react,
      '/vue': html(app, '<script type="module" src="/vue.js"></script>'),
      '/vue.js': vue,
      '/svelte': html(app, '<script type="module" src="/svelte.js"></script>'),
      '/svelte.js': svelte,
    });
    context = await browser.newContext();
    first = await context.newPage();
    prepare(first);
  });
  beforeEach(async () => {
    complaints = [];
    await first.goto(`${site.url}/start`);
    await first.waitForFunction('globalThis.start');
  });
  afterEach(async () => {
    await Promise.all(context.pages().map((page) => page === first || page.close()));
    await forgetVisitor(first, site.url);
    await until('the connections are closed', () => site.open.length === 0);
    expect(complaints).toEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    site.stop();
    await headway.stop();
  });

  function prepare(page: Page): void {
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => complaints.push(error.message));
  }
  async function open(path: string): Promise<Page> {
    const page = await context.newPage();
    prepare(page);
    await page.goto(site.url + path);
    return page;
  }
  const start = (
    count: number,
    intervalMs: number,
    failAt?: number,
  ): Promise<{ id: string; token: string }> =>
    first.evaluate(`start('steps', ${JSON.stringify({ count, intervalMs, failAt })})`);
  const value = async (page: Page): Promise<number> =>
    Number((await page.getByRole('progressbar').first().getAttribute('aria-valuenow')) ?? -1);

  it('watches eight jobs in eight tabs over one connection, and all bars move', async () => {
    const before = site.most();
    expect(before).toBeLessThanOrEqual(2);
    // The jobs run until they are cancelled, however long the tabs take to open.
    const jobs = await Promise.all(Array.from({ length: 8 }, () => start(200, 500)));
    // One after the other: a tab whose shared worker does not answer within seconds keeps a connection of its own.
    const tabs: Page[] = [];
    for (const { id } of jobs) {
      const tab = await open(`/element#${id}`);
      await until('the bar moves', async () => (await value(tab)) > 0);
      tabs.push(tab);
    }
    await until(
      () => `one connection follows all jobs; open are ${site.open.join(' ')}`,
      () => site.open.length === 1 && jobs.every(({ id }) => site.open[0]?.includes(id)),
    );
    const at = await Promise.all(tabs.map(value));
    await Promise.all(tabs.map((tab, i) => until('the bar moves', async () => (await value(tab)) > at[i]!)));
    // The jobs of closed tabs are no longer followed.
    await tabs[0]!.close();
    await until(
      'only the remaining jobs are followed',
      () => site.open.length === 1 && !site.open[0]!.includes(jobs[0]!.id),
    );
    for (const { id } of jobs) await first.evaluate(`client.watchJob('${id}').cancel()`);
    await Promise.all(tabs.slice(1).map((tab) => tab.getByText('Cancelled').first().waitFor()));
    // A finished job is followed while it is shown, because it may be retried.
    await first.evaluate(`client.watchJob('${jobs[1]!.id}').retry()`);
    await tabs[1]!.getByText('Running').first().waitFor();
    await first.evaluate(`client.watchJob('${jobs[1]!.id}').cancel()`);
    await tabs[1]!.getByText('Cancelled').first().waitFor();
    expect(site.most()).toBeLessThanOrEqual(2);
    await Promise.all(tabs.slice(1).map((tab) => tab.close()));
    await until('all connections are closed', () => site.open.length === 0);
  });

  it('shows past events in a second tab of the same job', async () => {
    const { id } = await start(10, 400);
    const one = await open(`/react#${id}`);
    await one.getByText('10 steps of 400 ms').waitFor();
    const two = await open(`/react#${id}`);
    await two.getByText('10 steps of 400 ms').waitFor();
    for (const tab of [one, two]) {
      await tab.locator('output').getByText('completed').waitFor();
      expect(await tab.getByRole('listitem').count()).toBe(1);
    }
  });

  it('shows the problem of an invalid job id, and the rest of the page', async () => {
    for (const path of ['/react#foo/bar', '/react#..', '/vue#foo/bar', '/vue#%']) {
      const page = await open(path);
      await page.getByRole('button', { name: 'Again' }).waitFor();
    }
    const page = await open('/vue#foo/bar');
    await page.locator('.headway-job[data-status=ended]').getByText('Not found').first().waitFor();
    const elements = await open('/element#');
    await elements.evaluate(`document.querySelector('#place').innerHTML =
      ['foo/bar', '/elsewhere', 'https://example.com', 'http://[/v1/jobs/x.1', '..'].map((src) => '<job-progress src="' + src + '"></job-progress>').join('')`);
    await until(
      'all elements show the problem',
      async () => (await elements.locator('job-progress[status=ended][state=unknown]').count()) === 5,
    );
    // The browser logs the 404 of the stream that the Vue page requests itself.
    complaints.length = 0;
  });

  it('uses its own connection if the shared worker does not start', async () => {
    await context.route('**/shared-worker.js', (route) => route.fulfill({ status: 404 }));
    await context.addInitScript('if (location.search === "?none") delete globalThis.SharedWorker;');
    const { id } = await start(12, 250);
    for (const path of ['/element?none#', '/element#']) {
      const tab = await open(path + id);
      await until('the bar moves', async () => (await value(tab)) > 0);
    }
    expect(site.open).toHaveLength(2);
    await context.unroute('**/shared-worker.js');
  });

  it('continues on its own connection when the shared worker is killed', async () => {
    const { id } = await start(24, 250);
    const page = await open(`/element#${id}`);
    await until('the bar moves', async () => (await value(page)) > 0);
    const session = await browser.newBrowserCDPSession();
    const { targetInfos } = await session.send('Target.getTargets');
    const worker = targetInfos.find(({ type }) => type === 'shared_worker');
    await session.send('Target.closeTarget', { targetId: worker!.targetId });
    const at = await value(page);
    await until('the bar moves on', async () => (await value(page)) > at);
    await until('the bar is full', async () => (await value(page)) === 100);
    const job = (await page.evaluate(`document.querySelector('job-progress').job`)) as { logs: unknown[] };
    expect(job.logs).toHaveLength(1);
  });

  it('sends the token of a job in a header, not in the URL', async () => {
    const { id, token } = await start(3, 50);
    await context.clearCookies();
    await expect(first.evaluate(`client.watchJob('${id}').result()`)).rejects.toThrow(/no such job/i);
    const result = await first.evaluate(`client.watchJob({id: '${id}', token: '${token}'}).result()`);
    expect(result).toEqual({ steps: 3 });
  });

  it('uploads a file from a form', async () => {
    const result = await first.evaluate(
      `client.startJob('checksum', {file: new File(['hello'], 'a.txt')}).then((job) => job.result())`,
    );
    expect(result).toMatchObject({ bytes: 5 });
  });

  it.each(['react', 'vue', 'svelte'])('shows a job with %s, cancels and reruns it', async (framework) => {
    const { id } = await start(20, 250);
    const page = await open(`/${framework}#${id}`);
    const percent = async (): Promise<number> => Number(await page.locator('progress').getAttribute('value'));
    await until('the bar moves', async () => (await percent()) > 0);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('output').getByText('cancelled').waitFor();
    await page.getByRole('button', { name: 'Again' }).click();
    await page.locator('output').getByText('completed').waitFor();
    expect(await percent()).toBe(100);
    // Each event once, also those before the page was opened.
    expect(await page.locator('.seen').innerText()).toBe('waiting,active,cancelled,waiting,active,completed');
    if (framework === 'svelte') expect(await page.evaluate('shown()')).toBe('completed');
    if (framework === 'vue') {
      expect(await page.locator('.events').innerText()).toContain('active 1');
      // Another viewer of the same job has seen the end too.
      await page.locator('.headway-job[data-state=completed]').waitFor();
    }
  });

  it('announces only each quarter and the end to screen readers', async () => {
    const { id } = await start(100, 30);
    const page = await open(`/element#${id}`);
    await page.evaluate(`{
      globalThis.announcements = [];
      const status = document.querySelector('job-progress').shadowRoot.querySelector('[role=status]');
      new MutationObserver(() => announcements.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
    }`);
    await until('the bar is full', async () => (await value(page)) === 100);
    const announcements = await until('the end is announced', async () => {
      const texts = (await page.evaluate('announcements')) as string[];
      return texts.at(-1)?.includes('Completed') ? texts : undefined;
    });
    expect(announcements.length).toBeLessThanOrEqual(7);
    expect(announcements.at(-1)).toBe('Import of people.csv: Completed');
  });

  it('has the words of the language of its page, or its own', async () => {
    const { id } = await start(3, 10);
    const page = await open(`/element#${id}`);
    const bar = page.locator('#place job-progress');
    await bar.evaluate((element) => element.setAttribute('lang', 'ja-JP'));
    await page.getByText('完了', { exact: true }).waitFor();
    expect(await bar.getByRole('progressbar').getAttribute('aria-valuetext')).toBe('100パーセント');
    expect(await bar.getByRole('status').textContent()).toBe('Import of people.csv：完了');
    await bar.evaluate((element) => {
      Object.assign(element, { labels: { completed: 'Terminé' } });
      element.removeAttribute('label');
    });
    await page.getByText('Terminé', { exact: true }).waitFor();
    // What is not translated is English.
    expect(await bar.getByRole('progressbar').getAttribute('aria-label')).toBe('Progress');
    await page.evaluate(() => {
      document.documentElement.lang = 'de';
      document.querySelector('#place')!.innerHTML = '<job-progress></job-progress>';
    });
    // A language that the page added.
    await page
      .getByRole('progressbar', { name: 'Avancement', includeHidden: true })
      .waitFor({ state: 'attached' });
    await page.getByRole('progressbar', { name: 'Fortschritt' }).waitFor();
  });

  it('moves the bar behind a proxy that withholds the bodies of streams', async () => {
    site.withholds = true;
    try {
      const { id } = await start(40, 250);
      const page = await open(`/element#${id}`);
      const opened = performance.now();
      await until('the bar moves', async () => (await value(page)) > 0);
      // The stream is given up after four seconds.
      expect(performance.now() - opened).toBeLessThan(8000);
      const at = await value(page);
      await until('the bar moves on', async () => (await value(page)) > at);
      expect(await page.locator('#place job-progress').textContent()).not.toContain('Disconnected');
      await until('the bar is full', async () => (await value(page)) === 100);
    } finally {
      site.withholds = false;
    }
  });

  it('sees a retry and the present state within two seconds after a frozen page wakes, although its connections are dead', async () => {
    const proxy = await startProxy(Number(new URL(site.url).port));
    try {
      const turns = randomUUID();
      const job = await headway.client.start('steered', { turns }, { attempts: 1 });
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${proxy.port}/start`);
      await page.evaluate(`import('/client/index.js').then(({ createClient }) => {
        globalThis.logs = [];
        const onEvent = ({ event, data }) => { if (event === 'log') logs.push(data.message); };
        // A page with a connection of its own, which is frozen with it.
        const onState = (state) => void logs.push(state);
        createClient({ shared: false }).watchJob(${JSON.stringify(job)}, { retries: true, onEvent, onState });
      })`);
      await headway.connection.lpush(turns, 'fail');
      await page.waitForFunction('logs.length === 3');
      const devtools = await browser.newBrowserCDPSession();
      const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
      const renderers = processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id);
      for (const id of renderers) process.kill(id, 'SIGSTOP');
      proxy.freeze();
      expect((await headway.client.retry(job)).status).toBe(202);
      await headway.connection.lpush(turns, 'log meanwhile');
      // Longer than the announced time to the next heartbeat.
      await sleep(3000);
      const woke = performance.now();
      for (const id of renderers) process.kill(id, 'SIGCONT');
      await page.waitForFunction('logs.length === 6');
      expect(performance.now() - woke).toBeLessThan(2000);
      expect(await page.evaluate('logs')).toEqual([
        'waiting',
        'active',
        'failed',
        'waiting',
        'active',
        'meanwhile',
      ]);
      await headway.connection.lpush(turns, 'end');
      await page.close();
    } finally {
      proxy.stop();
    }
  });

  it('has no axe findings in the element on any screen', async () => {
    const { id } = await start(10, 10, 6);
    const page = await open(`/element#${id}`);
    await page.getByText('failed at step 6, as asked').first().waitFor();
    await onEachScreen(page, async (screen, rules) => {
      expect(await findingsOf(page, { rules }), screen).toEqual([]);
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${screen}.png` });
    });
  });
});
