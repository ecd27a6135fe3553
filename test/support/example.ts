import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { until } from './until.js';

/** A command from a README that runs until it is stopped. */
export interface RunningCommand {
  /** Returns the output so far. */
  output(): string;
  /** Ends the command and every process that it started. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const groups = new Set<number>();
process.on('exit', () => {
  for (const group of groups) endGroup(group, 'SIGKILL');
});

/** Returns the command after `<!-- test: name -->` in the README of an example. */
export function commandOf(example: string, name: string): string {
  const readme = readFileSync(`examples/${example}/README.md`, 'utf8');
  const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`bash\n([^]*?)\`\`\``).exec(readme)?.[1];
  if (!found) throw new Error(`the README of ${example} has no command ${name}`);
  return found;
}

/** Runs a command in a process group of its own, from the root of the repository. */
export function runCommand(
  command: string,
  env: Record<string, string>,
): RunningCommand & { exited: Promise<number> } {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const group = child.pid!;
  groups.add(group);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  const exited = once(child, 'close').then(([code]) => {
    groups.delete(group);
    return Number(code);
  });
  return {
    output: () => output,
    exited,
    async stop(signal = 'SIGTERM') {
      endGroup(group, signal);
      await exited;
    },
  };
}

/** Runs a command to its end. @returns its output @throws Error with the output if the command fails */
export async function runToEnd(command: string, env: Record<string, string>): Promise<string> {
  const running = runCommand(command, env);
  const code = await running.exited;
  if (code !== 0) throw new Error(`ended with ${code}: ${running.output()}`);
  return running.output();
}

/** Starts a command that is a server. @returns the command and the address that it prints */
export async function startServer(
  command: string,
  env: Record<string, string>,
): Promise<RunningCommand & { url: string }> {
  const running = runCommand(command, { PORT: '0', ...env });
  const url = await until('it prints its address', async () => {
    const found = /\bhttp:\/\/127\.0\.0\.1:\d+(?=\/\s*$)/m.exec(running.output())?.[0];
    const ended = await Promise.race([running.exited, undefined]);
    if (ended !== undefined) throw new Error(`ended with ${ended}: ${running.output()}`);
    return found;
  });
  return { ...running, url };
}

function endGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The group has ended.
  }
}
