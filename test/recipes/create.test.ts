import { execFileSync } from 'node:child_process';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { runToEnd } from '../support/example.js';
import { recipeProject } from '../support/recipe-project.js';
import { freePort } from '../support/redis.js';
import {
  nothingLeft,
  openPage,
  openStarter,
  runDev,
  type Starter,
  seeGreetings,
} from '../support/starter.js';
import { until } from '../support/until.js';

/** What TypeScript needs in a project, besides the packages of the recipe. */
const TYPES = ['typescript', '@types/node', 'undici-types', '@types/react', '@types/react-dom', 'csstype'];
/** A development server compiles on the first request. */
const COMPILE_MS = 120_000;
const ENV = { NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1' };

describe.skipIf(!process.env.RECIPES).each([
  { template: 'next', typecheck: 'next typegen && $BIN/tsc' },
  { template: 'nuxt', typecheck: 'nuxt prepare && $BIN/vue-tsc -b --noEmit' },
])('npm create headway-jobs -- --template $template', ({ template, typecheck }) => {
  let starter: Starter;
  let browser: Browser;
  let modules: string;
  beforeAll(async () => {
    starter = openStarter(recipeProject(template).folder);
    modules = join(starter.folder, 'node_modules');
    execFileSync('cp', ['-a', '--parents', ...TYPES, modules], { cwd: 'node_modules' });
    browser = await startBrowser();
  }, COMPILE_MS);
  afterAll(() => browser.close());

  it.each(['ts', 'js'])(
    '%s: runs with one command, shows the bar, and stops',
    async (language) => {
      const name = `${template}-${language}`;
      expect((await starter.create([name, '--template', template, `--${language}`])).code).toBe(0);
      const folder = join(starter.folder, name);
      // Bundlers search for packages in the project only.
      renameSync(modules, join(folder, 'node_modules'));
      modules = join(folder, 'node_modules');

      const port = await freePort();
      const dev = runDev(folder, { ...ENV, PORT: String(port) });
      await dev.printed(/The worker is ready/);
      await until(
        'the page is served',
        () => fetch(`http://localhost:${port}/`).catch(() => undefined),
        COMPILE_MS,
      );
      const opened = await openPage(browser, `http://localhost:${port}/`);
      await seeGreetings(opened, 'Hello, Edsger!', COMPILE_MS);
      await opened.page.close();
      await dev.stop('SIGINT', 'group');
      await nothingLeft(folder);

      const check = language === 'ts' ? ` && ${typecheck}` : '';
      const env = { ...ENV, BIN: join(process.cwd(), 'node_modules/.bin') };
      await runToEnd(`cd ${folder} && export PATH=$PWD/node_modules/.bin:$PATH && npm test${check}`, env);
      await runToEnd(`cd ${folder} && npm run build`, env);
    },
    300_000,
  );
});
