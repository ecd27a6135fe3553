import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AnyJobs, createClient } from '../../src/client/index.js';
import { startBrowser } from '../support/browser.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { block } from '../support/documentation.js';
import { type RunningCommand, runCommand, runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/processes.js';
import { packedProject, type TestProject } from '../support/project.js';
import {
  bundleForReactNative,
  LIKE_REACT_NATIVE,
  runInReactNative,
  STAND_IN,
} from '../support/react-native.js';
import { freePort, startRedis, type TestRedis } from '../support/redis.js';
import { startSite, type TestSite } from '../support/site.js';
import { bearer } from '../support/tokens.js';
import { until } from '../support/until.js';

/** Node runs the service from the packed packages, with the project's dependencies. */
const PACKAGE = 'node_modules/headway-jobs/dist';

describe('getting started with the packed packages', () => {
  let project: TestProject;
  let redis: TestRedis;
  let browser: Browser;
  /** The address of the service. */
  let service: string;
  let siteUrl: string;
  const running: RunningCommand[] = [];
  const env = (): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'a secret for tests that is long enough',
    NO_COLOR: '1',
    ADMIN_TOKEN,
  });

  /** Runs a command in the project until the tests end. */
  function run(command: string, more: Record<string, string> = {}): RunningCommand {
    const command_ = runCommand(`cd ${project.folder} && exec ${command}`, { ...env(), ...more });
    running.push(command_);
    return command_;
  }
  /** Waits until a command serves an address. */
  const served = (url: string, by: RunningCommand) =>
    until(`${url} is served`, async () => {
      const answer = await fetch(url).catch(() => undefined);
      if (answer?.ok) return true;
      if (/Error/.test(by.output())) throw new Error(by.output());
      return false;
    });
  /** Returns a code block of the documentation with the addresses of this test. */
  const said = (name: string, addresses: Record<string, string> = {}): string =>
    Object.entries({
      'redis://127.0.0.1:6379': redis.url,
      'http://127.0.0.1:3000': service,
      ...addresses,
    }).reduce((text, [theirs, ours]) => text.replaceAll(theirs, ours), block(name));

  beforeAll(async () => {
    project = packedProject();
    [redis, browser] = await Promise.all([startRedis(), startBrowser()]);
    const [port, sitePort] = [await freePort(), await freePort()];
    service = `http://127.0.0.1:${port}`;
    siteUrl = `http://127.0.0.1:${sitePort}`;
    const shared = { ...env(), CORS_ORIGINS: siteUrl };
    const api = run(`node ${PACKAGE}/api/main.js`, { ...shared, PORT: String(port) });
    run(`node ${PACKAGE}/worker/main.js`, shared);
    await served(`${service}/readyz`, api);
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all(running.map((command) => command.stop()));
    await redis.stop();
  });

  /** Presses the button, and checks that the bar moves to its end. @param before runs in the page before its own code */
  async function seeBar(url: string, before = ''): Promise<void> {
    const page = await browser.newPage();
    await page.addInitScript(before);
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('response', (answer) => {
      if (answer.status() >= 400) complaints.push(`${answer.status()} ${answer.url()}`);
    });
    await page.goto(url);
    await page.getByRole('button', { name: 'Start' }).click();
    const bar = page.getByRole('progressbar').first();
    const seen: number[] = [];
    await until('the bar is full', async () => {
      const value = (await bar.getAttribute('aria-valuenow')) ?? (await bar.getAttribute('value'));
      if (value !== null) seen.push(Number(value));
      return seen.at(-1) === 100;
    });
    expect(new Set(seen.filter((percent) => percent > 0)).size).toBeGreaterThan(2);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(complaints).toEqual([]);
    await page.close();
  }

  it('Express: a job, a worker, routes beside those of the application, and a page', async () => {
    const port = await freePort();
    // As `npm init -y` of npm 11 writes it.
    project.write('shop/package.json', '{"type": "commonjs"}');
    project.write('shop/jobs.mjs', said('express-jobs'));
    project.write('shop/worker.mjs', said('express-worker'));
    project.write('shop/server.mjs', said('express-server', { 8080: String(port) }));
    project.write('shop/public/greet.html', said('express-page'));
    const url = `http://127.0.0.1:${port}`;
    const ours = { ...env(), DATA_DIR: join(temporaryFolder(), 'data') };
    const server = runCommand(`cd ${project.folder}/shop && exec node server.mjs`, ours);
    const worker = runCommand(`cd ${project.folder}/shop && exec node worker.mjs`, ours);
    running.push(server);
    await served(`${url}/hello`, server);
    const own = await fetch(`${url}/hello`);
    expect(await own.text()).toBe('Hello');
    expect(own.headers.get('content-security-policy')).toBeNull();
    await until('the worker says that it is ready', () => worker.output().includes('The worker is ready.'));
    expect(`${server.output()}${worker.output()}`).toContain('created the data folder');
    await seeBar(`${url}/greet.html`);
    await worker.stop('SIGTERM');
    expect(await worker.exited).toBe(0);
    await server.stop();
  });

  it('Fastify and Hono: a job, beside the routes of the application', async () => {
    project.write('other/jobs.mjs', said('express-jobs'));
    project.write('other/worker.mjs', said('express-worker'));
    const started = [run('node other/worker.mjs')];
    const greeted = ['fastify', 'hono'].map(async (framework) => {
      const port = await freePort();
      const code = said(framework, { 8080: String(port) });
      // A route that answers requests of the Fetch API.
      project.write(
        `other/${framework}.mjs`,
        code.replace('const own =', `${said('hono-fetch')}const own =`),
      );
      const url = `http://127.0.0.1:${port}`;
      const server = run(`node other/${framework}.mjs`);
      started.push(server);
      await served(`${url}/hello`, server);
      expect(await (await fetch(`${url}/hello`)).text()).toBe('Hello');
      expect((await fetch(`${url}/none`)).status).toBe(404);
      const paths = framework === 'hono' ? ['', '/api/headway'] : [''];
      const clients = paths.map((path) => createClient<AnyJobs>({ url: url + path }));
      const jobs = await Promise.all(clients.map((client) => client.startJob('greet', { names: ['Ada'] })));
      return Promise.all(jobs.map((job) => job.result()));
    });
    const one = { greeted: 1 };
    expect(await Promise.all(greeted)).toEqual([[one], [one, one]]);
    await Promise.all(started.map((command) => command.stop()));
  });

  it('a feature whose packages are not installed: names them', async () => {
    const job = await createClient({ url: service }).startJob('csv-import', {
      file: new File(['a,b\n1,2\n'], 'numbers.csv'),
    });
    const message =
      'Importing CSV files needs packages that are not installed. Run: npm install csv-parse iconv-lite libsql';
    await expect(job.result()).rejects.toMatchObject({ error: { code: 'permanent', message } });
    const board = await fetch(`${service}/admin/queues`, { headers: bearer(ADMIN_TOKEN) });
    expect(board.status).toBe(404);
    expect((await board.json()).detail).toBe(
      'Bull Board needs packages that are not installed. Run: npm install @bull-board/api @bull-board/express',
    );
  });

  it('plain HTML, on another site', async () => {
    const site = await startSite(service, { '/index.html': said('html') }, Number(new URL(siteUrl).port));
    await seeBar(`${site.url}/index.html`);
    // CORS_ORIGINS has the address; most people type the name.
    await seeBar(`${site.url.replace('127.0.0.1', 'localhost')}/index.html`);
    site.stop();
  });

  it('React Native: polls, or streams with a fetch that can, without what only browsers have', async () => {
    project.write('native/stand-in.jsx', STAND_IN);
    project.write(
      'native/watch.js',
      `import { createClient } from 'headway-client';
      async function watch(options) {
        const client = createClient({ url: '${service}', ...options });
        const job = await client.startJob('steps', { count: 10, intervalMs: 50 });
        const seen = [];
        for await (const { event, data } of job) if (event === 'progress') seen.push(data.percent);
        const cancelled = await client.startJob('steps', { count: 1000, intervalMs: 100 });
        await cancelled.cancel();
        const [result, reason] = await Promise.all([job.result(), cancelled.result().catch(({ name }) => name)]);
        return { seen, result, reason };
      }
      export default Promise.all([watch({}), watch({ fetch: expoFetch })]);`,
    );
    project.write('native/App.jsx', said('react-native'));
    project.write(
      'native/index.jsx',
      `import { createRoot } from 'react-dom/client';
      import App from './App.jsx';
      createRoot(document.querySelector('#app')).render(<App />);`,
    );
    const [code, app] = await Promise.all(
      ['native/watch.js', 'native/index.jsx'].map((entry) => bundleForReactNative(project.folder, entry)),
    );
    // Metro and its engine refuse it.
    expect(code).not.toContain('import.meta');
    const page = `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script src="/app.js"></script>`;
    const pages = { '/index.html': page, '/app.js': app! };
    const site = await startSite(service, pages, Number(new URL(siteUrl).port));
    const [{ result, polls, streams }] = await Promise.all([
      runInReactNative(code!),
      seeBar(`${site.url}/index.html`, LIKE_REACT_NATIVE),
    ]);
    site.stop();
    const ended = { seen: expect.arrayContaining([100]), result: { steps: 10 }, reason: 'JobCancelledError' };
    expect(result).toEqual([ended, ended]);
    const waits = (urls: string[]) =>
      new Set(urls.filter((url) => url.includes('/events')).map((url) => url.includes('wait=')));
    expect([waits(polls), waits(streams)]).toEqual([new Set([true]), new Set([false])]);
  });

  describe('in a Vite project', () => {
    /** One project for all frameworks: starting the development server and building cost seconds of CPU each time. */
    const pages = [
      {
        name: 'Vue',
        component: 'Steps.vue',
        main: `import { createApp } from 'vue'; import Steps from './Steps.vue'; createApp(Steps).mount('#app');`,
      },
      {
        name: 'React',
        component: 'Steps.jsx',
        main: `import { createRoot } from 'react-dom/client'; import Steps from './Steps.jsx'; createRoot(document.querySelector('#app')).render(<Steps />);`,
      },
      {
        name: 'Svelte',
        component: 'Steps.svelte',
        main: `import { mount } from 'svelte'; import Steps from './Steps.svelte'; mount(Steps, { target: document.querySelector('#app') });`,
      },
    ];
    let development: string;
    let built: TestSite;

    beforeAll(async () => {
      for (const { name, component, main } of pages) {
        const folder = name.toLowerCase();
        project.write(`web/src/${component}`, said(folder));
        project.write(`web/src/${folder}.jsx`, main);
        project.write(
          `web/${folder}.html`,
          `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="/src/${folder}.jsx"></script>`,
        );
      }
      // Vite transforms JSX by itself; real projects use @vitejs/plugin-react, for hot reloads.
      const plugins = `import { svelte } from '@sveltejs/vite-plugin-svelte';
        import vuePlugin from '@vitejs/plugin-vue';
        const input = ${JSON.stringify(pages.map(({ name }) => `${name.toLowerCase()}.html`))};
        const pages = { name: 'pages', config: () => ({ build: { rolldownOptions: { input } } }) };
        const vue = () => [vuePlugin(), svelte(), pages];`;
      project.write(
        'web/vite.config.js',
        `import { defineConfig } from 'vite';\n${plugins}\n${said('proxy')}`,
      );
      const vite = `node ../node_modules/vite/bin/vite.js`;
      const there = `cd ${project.folder}/web &&`;
      const port = await freePort();
      const server = runCommand(`${there} exec ${vite} --host 127.0.0.1 --port ${port}`, env());
      running.push(server);
      development = `http://127.0.0.1:${port}`;
      await served(`${development}/vue.html`, server);
      await runToEnd(`${there} ${vite} build`, env());
      built = await startSite(service, filesOf(join(project.folder, 'web/dist')));
    });
    afterAll(() => built.stop());

    it.each(pages)('$name: with the development server, and built', async ({ name }) => {
      for (const url of [development, built.url]) await seeBar(`${url}/${name.toLowerCase()}.html`);
    });
  });
});

/** Returns the text of each file of a folder, by its path in it. */
function filesOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(files.map((file) => [file.slice(folder.length), readFileSync(file, 'utf8')]));
}
