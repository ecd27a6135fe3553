import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { atExit } from './at-exit.js';
import type { CliEnd } from './cli.js';

/** A command for {@link runInHost}. */
export interface HostedCommand {
  args: string[];
  env: Record<string, string>;
  cwd: string;
}

const PROGRAM = fileURLToPath(new URL('cli-host.mjs', import.meta.url));

let host: ChildProcess | undefined;
let isBusy = false;
atExit(() => host?.kill());

/** Whether {@link runInHost} would run a command at once. */
export const isHostFree = (): boolean => !isBusy;

/** Runs a command in the process that the commands of a vitest worker share: see cli-host.mjs. */
export async function runInHost(main: string, command: HostedCommand): Promise<CliEnd> {
  isBusy = true;
  host ??= startHost(main);
  const ended = new AbortController();
  const died = once(host, 'exit', { signal: ended.signal }).then(([code]) => {
    host = undefined;
    throw new Error(
      `the process of the commands ended with ${code} during "headway ${command.args.join(' ')}"`,
    );
  });
  died.catch(() => {});
  host.send(command);
  try {
    const [end] = (await Promise.race([once(host, 'message', { signal: ended.signal }), died])) as [CliEnd];
    return end;
  } finally {
    ended.abort();
    isBusy = false;
  }
}

function startHost(main: string): ChildProcess {
  const child = fork(PROGRAM, [main], { execArgv: [], env: { PATH: process.env.PATH } });
  child.unref();
  child.channel?.unref();
  return child;
}
