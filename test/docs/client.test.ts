import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import vuePlugin from '@vitejs/plugin-vue';
import { type Browser, chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../scripts/lib/command.mjs';
import { type Headway, startHeadway } from '../support/headway.js';
import { temporaryFolder } from '../support/processes.js';
import { startSite } from '../support/site.js';
import { until } from '../support/until.js';

const executablePath =
  process.env.CHROMIUM_PATH ?? findProgram('chromium', 'chromium-browser', 'google-chrome') ?? 'chromium';
const readme = readFileSync('README.md', 'utf8');

/** The code block after `<!-- test: name -->`. */
function block(name: string): string {
  const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (!found) throw new Error(`the README has no block ${name}`);
  return found;
}

/** An empty project with this package, packed and unpacked as npm would, and its peers. */
async function emptyProject(): Promise<string> {
  const project = temporaryFolder();
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'headway'), { recursive: true });
  const run = promisify(execFile);
  const { stdout } = await run('npm', [
    'pack',
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    project,
  ]);
  await run('tar', [
    '-xzf',
    join(project, stdout.trim()),
    '-C',
    join(modules, 'headway'),
    '--strip-components=1',
  ]);
  for (const name of ['react', 'react-dom', 'vue']) {
    symlinkSync(join(process.cwd(), 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(project, 'package.json'), '{"private": true, "type": "module"}');
  return project;
}

describe('the README, on the client', () => {
  let headway: Headway;
  let browser: Browser;
  let project: string;
  beforeAll(async () => {
    [headway, browser, project] = await Promise.all([
      startHeadway(),
      chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-sync'] }),
      emptyProject(),
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await headway.stop();
  });

  it('has a script for Node that starts a job, watches it and prints its result', async () => {
    const file = join(project, 'client.mjs');
    writeFileSync(file, block('client').replace('http://127.0.0.1:3000', headway.api.url));
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    expect(stdout).toMatch(/^100 %$/m);
    expect(stdout).toMatch(/2 rows\n$/);
  });

  /** The pages of a project, built by Vite. */
  async function built(main: string, files: Record<string, string>): Promise<Record<string, string>> {
    const root = join(project, main);
    mkdirSync(root);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(root, name), content);
    writeFileSync(
      join(root, 'index.html'),
      `<!doctype html><title>A project</title><div id="app"></div><script type="module" src="./${main}"></script>`,
    );
    await build({ root, configFile: false, logLevel: 'error', plugins: [vuePlugin()] });
    const dist = join(root, 'dist');
    const all = readdirSync(dist, { recursive: true }) as string[];
    return Object.fromEntries(
      all
        .filter((name) => /\.(js|html|css)$/.test(name))
        .map((name) => [`/${name}`, readFileSync(join(dist, name), 'utf8')]),
    );
  }

  it.each([
    ['plain HTML', async () => ({ '/index.html': block('html') })],
    [
      'Vue',
      () =>
        built('vue.js', {
          'vue.js': `import { createApp } from 'vue'; import App from './App.vue'; createApp(App).mount('#app');`,
          'App.vue': block('vue'),
        }),
    ],
    [
      'React',
      () =>
        built('react.jsx', {
          'react.jsx': `import { createRoot } from 'react-dom/client'; import App from './App.jsx'; createRoot(document.querySelector('#app')).render(<App />);`,
          'App.jsx': block('react'),
        }),
    ],
  ])('has a bar for a page of %s that moves to its end', async (_name, pages) => {
    const site = await startSite(headway.api.url, await pages());
    const page = await browser.newPage();
    try {
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(error.message));
      await page.goto(`${site.url}/index.html`);
      await page.getByRole('button', { name: 'Start' }).click();
      const bar = page.getByRole('progressbar').first();
      const percent = async (): Promise<number> =>
        Number((await bar.getAttribute('aria-valuenow')) ?? (await bar.getAttribute('value')) ?? 0);
      await until('it moves', async () => (await percent()) > 0);
      expect(page.context().pages()).toHaveLength(1);
      expect(site.open).toHaveLength(1);
      await until('the end', async () => (await percent()) === 100);
      expect(complaints).toEqual([]);
    } finally {
      await page.close();
      site.stop();
    }
  });
});
