import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { atExit } from './at-exit.js';
import { block } from './documentation.js';
import { runToEnd } from './example.js';
import { temporaryFolder } from './folder.js';
import { freePort } from './redis.js';
import { until } from './until.js';

/** The installation of docs/operations/many-machines.md, started with the commands of that page. */
export interface ManyMachines {
  /** The address of nginx. */
  url: string;
  /** The output of `headway doctor`. */
  doctor: string;
  /** Returns the path of a file of this installation. @param name its path below `data/many` on the page */
  path(name: string): string;
  /** Runs a command with the ports and the folder of this installation. Returns its output. */
  run(command: string): Promise<string>;
  /** Starts a part that has ended. @param part the name of its function and its argument on the page, such as `api 3001` */
  start(part: string): Promise<unknown>;
  /** Ends a part, and waits until its process is gone. */
  end(part: string, signal?: NodeJS.Signals): Promise<void>;
  /** Resolves when an API process is ready. @param port its port on the page */
  ready(port: number): Promise<void>;
  stop(): Promise<void>;
}

const BLOCKS = ['redis', 'files', 'settings', 'api', 'workers', 'nginx'].map((name) => `many-${name}`);
const PORTS = /\b(?:700[1-6]|300[1-3]|4566|8080)\b/g;
const HIGHEST_PORT = 65_535;
/** From the port of a node to the one on which it speaks with the other nodes. */
const BUS = 10_000;

/** @param env further settings of all processes */
export async function startManyMachines(env: Record<string, string> = {}): Promise<ManyMachines> {
  const folder = temporaryFolder();
  const ports = new Map<string, number>();
  for (const [port] of BLOCKS.map(block).join('\n').matchAll(PORTS)) {
    if (!ports.has(port)) ports.set(port, await portOfNode([...ports.values()]));
  }
  /** Puts the ports and the folder of this installation in place of those on the page. */
  const placed = (text: string): string =>
    text
      .replaceAll(PORTS, (port) => String(ports.get(port)))
      .replaceAll('"$PWD/data/many', `"${folder}`)
      .replaceAll('data/many', folder);
  const functions = BLOCKS.flatMap((name) => block(name).match(/^\w+\(\) \{\n[\s\S]*?^\}\n/gm) ?? []).join(
    '',
  );
  /** The processes of all parts. The files with their ids are removed before the last ones are killed. */
  const pids = new Set<number>();
  async function run(command: string): Promise<string> {
    const output = await runToEnd(placed(command), env);
    for (const part of readdirSync(folder)) {
      const path = join(folder, part, 'pid');
      if (existsSync(path)) pids.add(Number(readFileSync(path, 'utf8')));
    }
    return output;
  }
  const kill = (): void => {
    for (const pid of [...pids].filter(isRunning)) process.kill(pid, isNginx(pid) ? 'SIGTERM' : 'SIGKILL');
  };
  atExit(kill);

  let doctor: string;
  try {
    for (const name of BLOCKS) await run(block(name));
    doctor = await run(block('many-doctor'));
  } catch (error) {
    kill();
    throw error;
  }
  return {
    url: placed('http://localhost:8080'),
    doctor,
    path: (name) => placed(`data/many/${name}`),
    run,
    start: (part) => run(`${functions}start_${part}`),
    async end(part, signal = 'SIGKILL') {
      const pid = Number(readFileSync(placed(`data/many/${part.replace(' ', '-')}/pid`), 'utf8'));
      process.kill(pid, signal);
      await until(`${part} is gone`, () => !isRunning(pid));
    },
    async ready(port) {
      await until(`the API at ${port} is ready`, () =>
        fetch(placed(`http://127.0.0.1:${port}/readyz`)).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
    },
    async stop() {
      await run(block('many-stop')).catch(() => {});
      await until('all processes are gone', () => ![...pids].some(isRunning), 30_000).finally(kill);
    },
  };
}

/** Returns a free port that is not among `others` and that a node of a Cluster can have. */
async function portOfNode(others: number[]): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port + BUS <= HIGHEST_PORT && !others.includes(port)) return port;
  }
}

/** Whether a process runs. One that has ended, and whose parent has not asked for its exit code, does not. */
function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Whether a process is the master of nginx. If it is killed, its workers stay. */
const isNginx = (pid: number): boolean => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'nginx';
