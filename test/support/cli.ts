import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { isHostFree, runInHost } from './cli-host.js';
import { temporaryFolder } from './processes.js';
import { until } from './until.js';

const MAIN = join(process.cwd(), 'dist', 'client', 'cli', 'main.js');

export interface CliOptions {
  env?: Record<string, string>;
  cwd?: string;
  /** Text for its standard input. Without it, there is no input. */
  input?: string;
}

export interface CliEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A user of the command line, with a home folder and an environment of its own. */
export class CliUser {
  readonly home = temporaryFolder();
  readonly env: Record<string, string>;

  constructor(url: string, env: Record<string, string> = {}) {
    this.env = { PATH: process.env.PATH!, HOME: this.home, HEADWAY_URL: url, ...env };
  }

  /** Starts the command without a terminal. */
  start(args: string[], { env = {}, cwd = this.home, input }: CliOptions = {}): CliProcess {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd,
      env: { ...this.env, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    child.stdin?.end(input);
    return new CliProcess(child);
  }

  /**
   * Runs the command to its end, without a terminal. It has a process of its own only if it reads standard input, or if
   * another command runs meanwhile: `start` always starts one.
   */
  run(args: string[], options: CliOptions = {}): Promise<CliEnd> {
    const { env = {}, cwd = this.home, input } = options;
    if (input !== undefined || !isHostFree()) return this.start(args, options).end;
    return runInHost(MAIN, { args, env: { ...this.env, ...env }, cwd });
  }

  /** Runs a line of bash in which `headway` is the command. */
  async shell(line: string, env: Record<string, string> = {}): Promise<CliEnd> {
    const script = `headway() { "${process.execPath}" "${MAIN}" "$@"; }\n${line}`;
    const child = spawn('bash', ['-c', script], { cwd: this.home, env: { ...this.env, ...env } });
    child.stdin.end();
    return new CliProcess(child).end;
  }

  /** Starts the command in a pseudo terminal, which `script` (util-linux) opens. */
  terminal(args: string[], columns = 100, env: Record<string, string> = {}): CliProcess {
    const quoted = [process.execPath, MAIN, ...args]
      .map((arg) => `'${arg.replace(/'/g, `'\\''`)}'`)
      .join(' ');
    const child = spawn('script', ['-qec', `stty cols ${columns} rows 24; exec ${quoted}`, '/dev/null'], {
      cwd: this.home,
      env: { ...this.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    });
    return new CliProcess(child);
  }
}

export class CliProcess {
  stdout = '';
  stderr = '';
  readonly end: Promise<CliEnd>;

  constructor(readonly child: ChildProcess) {
    child.stdout!.setEncoding('utf8').on('data', (text) => (this.stdout += text));
    child.stderr!.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.end = once(child, 'close').then(([code]) => ({ code, stdout: this.stdout, stderr: this.stderr }));
  }

  /** Waits until the output matches a pattern. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`it prints ${pattern}: ${this.stdout}${this.stderr}`, () =>
      pattern.exec(this.stdout + this.stderr),
    );
  }

  /** Types into the terminal. */
  type(keys: string): void {
    this.child.stdin!.write(keys);
  }
}

/** Returns the lines that a terminal shows at the end, without colours and without text that was drawn over. */
export function screenOf(output: string): string[] {
  return output.split('\r\n').map((line) =>
    line
      .split('\r')
      .at(-1)!
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character
      .replace(/\x1b\[[0-9;]*[A-Za-z]/g, ''),
  );
}

/** Parses an output with one JSON value a line. */
// biome-ignore lint/suspicious/noExplicitAny: each test knows the output of its command
export const jsonLines = (text: string): any[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

/** Returns the first group of a pattern in a text. @throws Error when the text does not match */
export function capture(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  if (found === undefined) throw new Error(`${pattern} does not match ${text}`);
  return found;
}
