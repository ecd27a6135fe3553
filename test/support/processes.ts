import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atExit } from './at-exit.js';
import { temporaryFolder } from './folder.js';
import { NEVER_OVERLOADED } from './never-overloaded.js';

export { temporaryFolder };

export interface TestProcess {
  child: ChildProcess;
  /** The API's address; empty for a worker. */
  url: string;
  /** The address of its metrics. */
  metrics: string;
  /** Returns the output so far. */
  output(): string;
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the process with SIGTERM, as a supervisor does. */
  stop(): Promise<void>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const running = new Set<ChildProcess>();
atExit(() => {
  for (const child of running) child.kill('SIGKILL');
});

export const startApi = (env: Record<string, string>, args?: string[]): Promise<TestProcess> =>
  start('api', { PORT: '0', HOST: '127.0.0.1', ...env }, args);
export const startWorker = (env: Record<string, string>, args?: string[]): Promise<TestProcess> =>
  start('worker', env, args);

/** Returns the other processes whose command line or environment names the data folder. Zombies are not among them. */
export function processesOf(dataDir: string): number[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/environ`, 'latin1').includes(dataDir) ||
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(dataDir)
        );
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Starts a built process without our environment, except for PATH. Resolves when the process reports that it is ready. */
async function start(
  name: 'api' | 'worker',
  env: Record<string, string>,
  args: string[] = [],
): Promise<TestProcess> {
  const child = spawn(process.execPath, [join(root, 'dist', name, 'main.js'), ...args], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      LOG_LEVEL: 'warn',
      LIMIT_LOOPBACK: 'off',
      DATA_DIR: env.DATA_DIR ?? temporaryFolder(),
      METRICS_PORT: '0',
      ...NEVER_OVERLOADED,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  running.add(child);
  const exited = once(child, 'exit').finally(() => running.delete(child));
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (data) => (output += data));
  const first = await Promise.race([
    once(child, 'message').then(([message]) => message as { url?: string; metrics?: string }),
    once(child, 'close').then(([code]) => {
      throw Object.assign(new Error(`${name} ended with ${code}: ${output}`), { code, output });
    }),
  ]);
  const kill = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  const { url = '', metrics = '' } = first;
  return { child, url, metrics, output: () => output, kill, stop: () => kill('SIGTERM') };
}
