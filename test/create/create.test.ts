import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { publint } from 'publint';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifestOf } from '../../scripts/lib/npm-packages.mjs';
import { startBrowser } from '../support/browser.js';
import { CliUser } from '../support/cli.js';
import { block } from '../support/documentation.js';
import { runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/processes.js';
import { packedProject } from '../support/project.js';
import { freePort, startRedis, type TestRedis } from '../support/redis.js';
import {
  nothingLeft,
  openPage,
  openStarter,
  runDev,
  type Starter,
  seeGreetings,
} from '../support/starter.js';
import { until } from '../support/until.js';

/** TypeScript's own program takes three times as long. */
const NATIVE_TSC = '@typescript/native/bin/tsc';

let starter: Starter;
let browser: Browser;
let redis: TestRedis;

beforeAll(async () => {
  const { folder } = packedProject();
  const modules = join(folder, 'node_modules');
  starter = openStarter(folder);
  symlinkSync(join(process.cwd(), 'node_modules/typescript'), join(modules, 'typescript'));
  symlinkSync(join(process.cwd(), 'node_modules', NATIVE_TSC), join(modules, '.bin/tsc'));
  [browser, redis] = await Promise.all([startBrowser(), startRedis()]);
});
afterAll(async () => {
  await browser.close();
  await redis.stop();
});

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

describe('npm create headway-jobs', () => {
  it('is a valid package, with the test of the documentation', async () => {
    const { messages } = await publint({ pkgDir: starter.packed, strict: true, pack: false });
    expect(messages).toEqual([]);
    expect(manifestOf('create', 'someone/headway')).toMatchObject({
      publishConfig: { access: 'public', provenance: true },
      repository: { url: 'git+https://github.com/someone/headway.git', directory: 'packages/create' },
    });
    const packed = (path: string): string => readFileSync(join(starter.packed, 'templates', path), 'utf8');
    const test = packed('plain-ts/test/greet.test.ts');
    expect(block('run-job')).toBe(test);
    // Nuxt has its jobs in another folder.
    for (const file of ['jobs.ts', 'worker.ts']) {
      expect(packed(`nuxt-ts/server/${file}`)).toBe(packed(`plain-ts/${file}`));
    }
    expect(packed('nuxt-ts/test/greet.test.ts').replace('../server/', '../')).toBe(test);
  });

  it('makes the same project in both languages, of valid code', async () => {
    for (const template of ['express', 'next', 'nuxt', 'plain']) {
      const [typed, untyped] = await Promise.all(
        ['ts', 'js'].map(async (language) => {
          const name = `${template}-${language}`;
          expect(await starter.create([name, '--template', template, `--${language}`])).toMatchObject({
            code: 0,
          });
          return join(starter.folder, name);
        }),
      );
      const inJavaScript = filesOf(typed!)
        .filter((path) => basename(path) !== 'tsconfig.json')
        .map((path) => path.replace(/\.ts(x?)$/, '.js$1'));
      expect(filesOf(untyped!)).toEqual(inJavaScript.sort());
      const own = filesOf(untyped!).filter((path) => path !== '.gitignore');
      const texts = own.map((path) => readFileSync(join(untyped!, path), 'utf8'));
      expect(texts.join('\n')).not.toMatch(/\btypescript\b|\.tsx?\b|lang="ts"|<!-- | {3}\w+ {3}/i);
      for (const fileName of own.filter((path) => /\.jsx?$/.test(path))) {
        const text = readFileSync(join(untyped!, fileName), 'utf8');
        const { diagnostics } = ts.transpileModule(text, { fileName, reportDiagnostics: true });
        expect(diagnostics?.map(({ messageText }) => messageText)).toEqual([]);
      }
    }
  });

  it('without a terminal: Express and TypeScript, and says what to type', async () => {
    const end = await starter.create([]);
    expect(end).toEqual({
      code: 0,
      stdout: 'Created my-app. Now:\n  cd my-app && npm install && npm run dev\n',
      stderr: '',
    });
    const folder = join(starter.folder, 'my-app');
    expect(filesOf(folder)).toEqual([
      '.gitignore',
      'README.md',
      'jobs.ts',
      'package.json',
      'public/index.html',
      'server.ts',
      'test/greet.test.ts',
      'tsconfig.json',
      'worker.ts',
    ]);
    expect(readFileSync(join(folder, 'server.ts'), 'utf8')).toContain("from 'express'");
    expect(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))).toMatchObject({
      name: 'my-app',
      dependencies: {
        'headway-jobs': expect.stringMatching(/^\^\d+\.\d+\.\d+$/),
        express: expect.any(String),
      },
    });
  });

  it.each([
    ['a b/Größe & "co"', 'gr-e-co', `'a b/Größe & "co"'`],
    ["it's", 'it-s', `'it'\\''s'`],
    ['./x/../UPPER/', 'upper', 'UPPER'],
    ['日本', 'my-app', "'日本'"],
    ['node_modules/.x', 'x', 'node_modules/.x'],
  ])('a folder named %s: gets a valid package name', async (folder, name, quoted) => {
    const { code, stdout } = await starter.create([folder, '--template', 'plain']);
    expect(code).toBe(0);
    expect(stdout).toContain(`  cd ${quoted} && npm install`);
    const made = join(starter.folder, folder);
    expect(JSON.parse(readFileSync(join(made, 'package.json'), 'utf8')).name).toBe(name);
    expect(readFileSync(join(made, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${name}\n`));
  });

  it('uses an empty folder, and one with a new git repository', async () => {
    const folder = join(starter.folder, 'empty');
    mkdirSync(join(folder, '.git'), { recursive: true });
    expect(await starter.create(['empty', '--template', 'plain', '--js'])).toMatchObject({ code: 0 });
    expect(existsSync(join(folder, 'jobs.js'))).toBe(true);
  });

  it.each([
    [['full'], /^error: the folder full is not empty\n$/],
    [['full/mine.txt'], /^error: full\/mine\.txt is a file\n$/],
    [['full/mine.txt/below'], /^error: full\/mine\.txt\/below cannot be written \(ENOTDIR\)\n$/],
    [['full/..'], /^error: the folder full\/\.\. is not empty\n$/],
    [['x', '--template', 'rails'], /^error: there is no template "rails": use express, next, nuxt, plain\n$/],
    [['x', '--template', 'toString'], /^error: there is no template "toString"/],
    [['x', '--ts', '--js'], /^error: --ts and --js exclude each other\n$/],
    [['x', '--vue'], /^error: Unknown option '--vue'[^\n]*\n$/],
    [['-rf', 'x'], /^error: Unknown option '-r'[^\n]*\n$/],
    [['x', 'next'], /^error: there is more than one folder\. Options come after "--": [^\n]*\n$/],
  ])('%j: one line, and nothing is written', async (args, message) => {
    mkdirSync(join(starter.folder, 'full'), { recursive: true });
    writeFileSync(join(starter.folder, 'full', 'mine.txt'), 'mine');
    const { code, stdout, stderr } = await starter.create(args);
    expect({ code, stdout, isSaid: message.test(stderr) ? true : stderr }).toEqual({
      code: 1,
      stdout: '',
      isSaid: true,
    });
    expect(readdirSync(join(starter.folder, 'full'))).toEqual(['mine.txt']);
    expect(existsSync(join(starter.folder, 'x'))).toBe(false);
  });

  it('an old Node: says which one is needed', async () => {
    const old = join(temporaryFolder(), 'old.cjs');
    writeFileSync(
      old,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } });`,
    );
    const end = await starter.create(['old'], { NODE_OPTIONS: `--require ${old}` });
    expect(end).toEqual({
      code: 1,
      stdout: '',
      stderr: 'error: Node 18.20.8 is too old: Headway needs Node 20.19 or newer\n',
    });
  });

  it('in a terminal: asks, and again after an answer that is none', async () => {
    const program = starter.inTerminal(['asked']);
    await program.printed(/Which framework\?[\s\S]*4\. plain[\s\S]*1-4 \(1\): /);
    program.type('perl\r');
    await until('it asks again', () => program.stdout.split('Which framework?').length === 3);
    program.type('4\r');
    await program.printed(/Which language\?[\s\S]*1-2 \(1\): /);
    program.type('js\r');
    expect((await program.end).code).toBe(0);
    const server = readFileSync(join(starter.folder, 'asked/server.js'), 'utf8');
    expect(server).toContain("from 'node:http'");
  });

  it.each([
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s at a question: exits with 130 and writes nothing', async (_key, typed) => {
    const program = starter.inTerminal(['never', '--js']);
    await program.printed(/1-4 \(1\): /);
    program.type(typed);
    const { code, stdout } = await program.end;
    expect(code).toBe(130);
    expect(stdout).not.toContain('Error');
    expect(existsSync(join(starter.folder, 'never'))).toBe(false);
  });
});

describe('the projects', () => {
  /** Makes a project whose job takes less time. @returns its folder */
  async function make(name: string, ...args: string[]): Promise<string> {
    await starter.create([name, ...args]);
    const folder = join(starter.folder, name);
    const jobs = join(folder, args.includes('--js') ? 'jobs.js' : 'jobs.ts');
    writeFileSync(jobs, readFileSync(jobs, 'utf8').replace('wait(500', 'wait(200'));
    return folder;
  }

  it('plain, in JavaScript: runs with a Redis of its own, and stops with Ctrl-C', async () => {
    const folder = await make('one', '--template', 'plain', '--js');
    const dev = runDev(folder, { PORT: String(await freePort()) });
    const tested = runToEnd(`cd ${folder} && npm test`, {});
    const url = await dev.printed(/Open (http:\S+)/);
    await dev.printed(/The worker is ready/);
    expect(dev.output()).toMatch(
      /redis {2}\| started \S*redis-server, with its data in \S+\/one\/data\/redis/,
    );
    const opened = await openPage(browser, url);
    await seeGreetings(opened, 'Hello, Edsger!');
    expect(await tested).toMatch(/pass 1\b/);

    await opened.page.close();
    await dev.stop('SIGINT', 'group');
    await nothingLeft(folder);
  }, 120_000);

  it('Express, in TypeScript: runs with the Redis of .env, and stops with SIGTERM', async () => {
    const folder = await make('two', '--template', 'express', '--ts');
    writeFileSync(join(folder, '.env'), `REDIS_URL=${redis.url}\n`);
    const dev = runDev(folder, { PORT: String(await freePort()) });
    const checked = runToEnd(`cd ${folder} && npm test && npm run typecheck`, {});
    const opened = await openPage(browser, await dev.printed(/Open (http:\S+)/));
    await seeGreetings(opened, 'Hello, Edsger!');
    await opened.page.close();
    expect(dev.output()).not.toContain('started');
    expect(existsSync(join(folder, 'data/redis'))).toBe(false);
    expect(await checked).toMatch(/pass 1\b/);
    await dev.stop('SIGTERM', 'npm');
    await nothingLeft(folder);
  }, 120_000);
});

describe('headway dev', () => {
  const folder = temporaryFolder();
  const user = new CliUser('');
  const run = (args: string[], env: Record<string, string> = {}) =>
    user.start(['dev', ...args], { cwd: folder, env: { REDIS_URL: redis.url, ...env } });

  it('without a Redis at REDIS_URL: says so and ends, and starts nothing', async () => {
    writeFileSync(join(folder, 'never.mjs'), 'console.log("started")');
    const url = `redis://:secret@127.0.0.1:${await freePort()}`;
    const end = await run(['--worker', 'never.mjs'], { REDIS_URL: url }).end;
    expect(end).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: no Redis responds at ${url.replace(':secret', '***')} (REDIS_URL): start it, or unset REDIS_URL\n`,
    });
  });

  it('restarts a program when a file that it imports changes, or when it crashes', async () => {
    writeFileSync(join(folder, 'part.mjs'), "export const part = 'first';");
    writeFileSync(
      join(folder, 'whole.mjs'),
      "import { part } from './part.mjs'; setInterval(() => {}, 1000); console.log(part, process.pid);",
    );
    const dev = run(['--server', 'whole.mjs', '--worker', 'never.mjs']);
    await dev.printed(/server \| first \d+\n/);
    await dev.printed(/worker \| ended with exit code 0: starts again when a file changes\n/);
    writeFileSync(join(folder, 'part.mjs'), "export const part = 'second';");
    const [, pid] = await dev.printed(
      /server \| part\.mjs has changed: restarting\nserver \| second (\d+)\n/,
    );
    process.kill(Number(pid), 'SIGKILL');
    await dev.printed(
      /server \| ended by SIGKILL: starts again in 1 s, or when a file changes\nserver \| second \d+\n/,
    );
    dev.child.kill('SIGINT');
    expect(await dev.end).toMatchObject({ code: 0, stderr: '' });
    await nothingLeft(folder);
  });

  it.skipIf('typescript' in process.features && process.features.typescript)(
    'TypeScript without a compiler, on a Node that needs one: says what to install, and ends with 0 after SIGTERM',
    async () => {
      writeFileSync(join(folder, 'typed.mts'), 'const text: string = "never"; console.log(text);');
      const dev = run(['--worker', 'typed.mts']);
      await dev.printed(
        /worker \| Error: Node [\d.]+ cannot run TypeScript itself\..*: npm install --save-dev typescript@6/,
      );
      await dev.printed(/worker \| ended with exit code 1: starts again in 1 s, or when a file changes/);
      dev.child.kill('SIGTERM');
      expect((await dev.end).code).toBe(0);
    },
  );

  it('ends with the exit code of its command, and ends the other processes', async () => {
    writeFileSync(
      join(folder, 'endless.mjs'),
      `import { writeFileSync } from 'node:fs';
      setInterval(() => {}, 1000);
      console.log('endless');
      writeFileSync('up', '');`,
    );
    const command = 'until [ -f up ]; do sleep 0.1; done; echo bye; exit 7';
    const end = await run(['--worker', 'endless.mjs', '--', 'sh', '-c', command]).end;
    expect(end.code).toBe(7);
    expect(end.stdout).toMatch(/worker \| endless\n/);
    expect(end.stdout).toMatch(/sh {5}\| bye\nsh {5}\| ended with exit code 7: stopping everything\n$/);
    expect((await run(['--', 'no-such-program']).end).stdout).toContain('no-such-program was not found');
    await nothingLeft(folder);
  });

  it('is killed: its processes, and those that they have started, end too', async () => {
    const endless = `${process.execPath} endless.mjs`;
    const dev = run(['--worker', 'endless.mjs', '--', 'sh', '-c', `${endless} & ${endless}; true`]);
    await until('all run', () => dev.stdout.match(/endless\n/g)?.length === 3);
    dev.child.kill('SIGKILL');
    await nothingLeft(folder);
  });
});
