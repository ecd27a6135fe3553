import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { stageStarter } from '../../scripts/lib/starter.mjs';
import { atExit } from './at-exit.js';
import { type CliEnd, CliProcess } from './cli.js';
import { processesOf, temporaryFolder } from './processes.js';
import { until } from './until.js';

/** The packed `create-headway-jobs`, and a folder with packages in which the projects that it makes run. */
export interface Starter {
  folder: string;
  /** The folder with the content of the package. */
  packed: string;
  /** Runs the program without a terminal. */
  create(args: string[], env?: Record<string, string>): Promise<CliEnd>;
  /** Runs the program in a terminal. */
  inTerminal(args: string[]): CliProcess;
}

/** @param folder has `node_modules` with the packed packages */
export function openStarter(folder: string): Starter {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  // As npm does when it installs the package.
  symlinkSync('../headway-jobs/dist/client/cli/main.js', join(modules, '.bin', 'headway'));
  chmodSync(join(modules, '.bin', 'headway'), 0o755);
  const staged = temporaryFolder();
  stageStarter(staged);
  const packed = join(staged, 'create-headway-jobs');
  const program = join(packed, 'create.mjs');
  const clean = { PATH: process.env.PATH! };
  return {
    folder,
    packed,
    create(args, env = {}) {
      const child = spawn(process.execPath, [program, ...args], { cwd: folder, env: { ...clean, ...env } });
      child.stdin.end();
      return new CliProcess(child).end;
    },
    inTerminal(args) {
      const command = ['exec', process.execPath, program, ...args].join(' ');
      const env = { ...clean, TERM: 'xterm', SHELL: '/bin/sh' };
      return new CliProcess(spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, env }));
    },
  };
}

const running = new Set<ChildProcess>();
atExit(() => {
  for (const { pid } of running) if (pid) process.kill(-pid, 'SIGKILL');
});

/** A command that runs in a project until it is stopped. */
export interface RunningProject {
  output(): string;
  /** Waits until the output matches a pattern. @returns the first group */
  printed(pattern: RegExp): Promise<string>;
  /** Sends a signal: to the whole process group, as the terminal does for Ctrl-C, or to npm alone. Resolves when npm has ended. */
  stop(signal: NodeJS.Signals, to: 'group' | 'npm'): Promise<void>;
}

/** Runs `npm run dev` in a project, at most until the end of the test. */
export function runDev(folder: string, env: Record<string, string> = {}): RunningProject {
  const child = spawn('npm', ['run', 'dev'], {
    cwd: folder,
    env: { PATH: process.env.PATH!, HOME: process.env.HOME, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  let hasEnded = false;
  const ended = once(child, 'close').then(() => {
    running.delete(child);
    hasEnded = true;
  });
  // The other processes notice that npm is gone.
  onTestFinished(async () => {
    if (hasEnded) return;
    process.kill(-child.pid!, 'SIGKILL');
    await ended;
  });
  return {
    output: () => output,
    async printed(pattern) {
      const found = await until(
        () => `it prints ${pattern}: ${output}`,
        () => {
          const match = pattern.exec(output);
          if (!match && hasEnded) throw new Error(`it has ended: ${output}`);
          return match;
        },
        40_000,
      );
      return found[1] ?? found[0];
    },
    stop(signal, to) {
      process.kill(to === 'group' ? -child.pid! : child.pid!, signal);
      return ended;
    },
  };
}

/** Waits until no process of a project is left. */
export const nothingLeft = (folder: string): Promise<true> =>
  until(
    () => `no process of ${folder} is left: ${processesOf(folder).join(' ')}`,
    () => processesOf(folder).length === 0,
    10_000,
  ) as Promise<true>;

/** The page of a project. */
export interface ProjectPage {
  page: Page;
  /** Errors on the page. */
  complaints: string[];
  /** How many jobs were started since the page was loaded. */
  starts: number;
}

export async function openPage(browser: Browser, url: string): Promise<ProjectPage> {
  const page = await browser.newPage();
  const opened: ProjectPage = { page, complaints: [], starts: 0 };
  page.on('pageerror', (error) => opened.complaints.push(error.message));
  page.on('response', (answer) => {
    if (answer.status() >= 400) opened.complaints.push(`${answer.status()} ${answer.url()}`);
  });
  page.on('request', (request) => {
    if (request.method() === 'POST' && request.url().endsWith('/v1/jobs')) opened.starts++;
  });
  // Development servers load a page again when they have found another package in it.
  page.on('framenavigated', () => {
    opened.starts = 0;
  });
  // A development server compiles on the first request.
  await page.goto(url, { timeout: 120_000 });
  return opened;
}

/** Presses the button, sees the bar move to its end, and the custom event of the last step. */
export async function seeGreetings(opened: ProjectPage, last: string, timeoutMs?: number): Promise<void> {
  const { page, complaints } = opened;
  const [button, bar] = [page.getByRole('button', { name: 'Start' }), page.getByRole('progressbar')];
  let seen: number[] = [];
  opened.starts = 0;
  const look = async (): Promise<boolean> => {
    if (opened.starts === 0) {
      seen = [];
      // Before the framework has attached its listeners, a click does nothing.
      if ((await button.count()) > 0) await button.click();
      await page.evaluate(() => new Promise(requestAnimationFrame)).catch(() => {});
      return false;
    }
    if ((await bar.count()) === 0) return false;
    const percent = Number(await bar.getAttribute('aria-valuenow'));
    // An earlier job may still be shown.
    if (percent < 100 || seen.length > 0) seen.push(percent);
    return percent === 100 && new Set(seen).size > 2;
  };
  await until(() => `the bar moves to its end, not only ${seen.join()}`, look, timeoutMs);
  await page.getByText(last).waitFor();
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(complaints).toEqual([]);
}
