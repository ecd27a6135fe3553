import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { findProgram } from '../../scripts/lib/command.mjs';
import { processesOf, temporaryFolder } from '../support/processes.js';
import { freePort, startRedis, type TestRedis } from '../support/redis.js';
import { until } from '../support/until.js';

const GRACE_MS = 500;
/** Longer than any process needs to exit after its grace time, even on a busy machine. */
const CLOSE_MS = 15_000;
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGKILL'] as const;
/**
 * Enough while Redis is down: SIGINT takes the path of SIGTERM through npm, nf and the processes, as the tests with Redis show,
 * and `npm start` is ended by it without Redis too.
 */
const TERM_AND_KILL = ['SIGTERM', 'SIGKILL'] as const;

interface Tree {
  outermost: ChildProcess;
  dataDir: string;
  output(): string;
}

const trees = new Set<Tree>();

/** Starts a command in a new process group, as a service manager does. */
function run(command: string[], env: Record<string, string> = {}): Tree {
  const dataDir = temporaryFolder();
  const outermost = spawn(command[0]!, command.slice(1), {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      PORT: '0',
      SHUTDOWN_GRACE_MS: String(GRACE_MS),
      DATA_DIR: dataDir,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [outermost.stdout!, outermost.stderr!]) stream.on('data', (data) => (output += data));
  const tree = { outermost, dataDir, output: () => output };
  trees.add(tree);
  return tree;
}

const nothingIsLeft = (tree: Tree): Promise<unknown> =>
  until('no process is left', () => processesOf(tree.dataDir).length === 0, GRACE_MS + CLOSE_MS);

describe('processes that another program has started', () => {
  let redis: TestRedis | undefined;
  afterEach(async () => {
    for (const { dataDir } of trees) for (const pid of processesOf(dataDir)) process.kill(pid, 'SIGKILL');
    trees.clear();
    await redis?.stop();
    redis = undefined;
  });

  const ready = /"msg":"ready"/;
  const listening = /"msg":"listening"/;
  describe.each<[string, string[], RegExp[], typeof SIGNALS | typeof TERM_AND_KILL]>([
    ['npm run worker', ['npm', 'run', 'worker'], [ready], TERM_AND_KILL],
    ['npm run api', ['npm', 'run', 'api'], [listening], TERM_AND_KILL],
    ['npm start', ['npm', 'start'], [/Headway is ready/], SIGNALS],
    ['the Procfile', ['node_modules/.bin/nf', 'start'], [ready, listening], TERM_AND_KILL],
  ])('%s', (_what, command, isUp, signalsWhileDown) => {
    it.each([
      ['up', false],
      ['down', true],
    ])('leaves no process behind when its outermost process ends while Redis is %s', async (_where, away) => {
      redis = await startRedis();
      const { url } = redis;
      const running = await Promise.all(
        (away ? signalsWhileDown : SIGNALS).map(async (signal) => {
          // Otherwise, several `nf` processes would search for a free port at the same time.
          const port = command[1] === 'start' && command[0] !== 'npm' ? ['-p', String(await freePort())] : [];
          const tree = run([...command, ...port], { REDIS_URL: url });
          await until('it is up', () => isUp.every((line) => line.test(tree.output())), 40_000);
          return { tree, signal };
        }),
      );
      if (away) await redis.kill();
      for (const { tree, signal } of running) tree.outermost.kill(signal);
      for (const { tree } of running) await nothingIsLeft(tree);
    });
  });

  it('npm start stops its own Redis, whichever of its processes is killed first', async () => {
    const kill = async (command: string[], victim: (tree: Tree) => number): Promise<void> => {
      const tree = run(command);
      await until('it is up', () => /Headway is ready/.test(tree.output()), 40_000);
      expect(processesOf(tree.dataDir).some((pid) => commandOf(pid).includes('redis-server'))).toBe(true);
      process.kill(victim(tree), 'SIGKILL');
      await nothingIsLeft(tree);
      expect(processesOf(tree.dataDir)).toEqual([]);
    };
    await Promise.all([
      kill(['npm', 'start'], ({ outermost }) => outermost.pid!),
      kill(
        ['npm', 'start'],
        ({ dataDir }) => processesOf(dataDir).find((pid) => commandOf(pid).includes('start.mjs'))!,
      ),
    ]);
  });

  it('npm start counts one Ctrl-C once, although the terminal sends it to npm too', async () => {
    const tree = run(['npm', 'start']);
    await until('it is up', () => /Headway is ready/.test(tree.output()), 40_000);
    const ended = once(tree.outermost, 'exit');
    process.kill(-tree.outermost.pid!, 'SIGINT');
    // A second Ctrl-C would end npm start with exit code 1 and kill its children.
    expect((await ended)[0]).toBe(0);
    expect(tree.output()).toMatch(/worker +\| .*"msg":"stopping"|worker +\| .*stopping/);
    await nothingIsLeft(tree);
  });

  it.skipIf(!findProgram('script'))(
    'npm start replaces its processes on SIGHUP, and stops when its terminal is closed',
    async () => {
      // The program runs another one in a terminal of its own.
      const tree = run(['script', '--quiet', '--command', 'npm start', '/dev/null'], { API_PROCESSES: '2' });
      await until('it is up', () => /Headway is ready/.test(tree.output()), 40_000);
      process.kill(Number(readFileSync(`${tree.dataDir}/supervisor.pid`, 'utf8')), 'SIGHUP');
      await until('the processes are replaced', () => tree.output().includes('all processes are replaced'));
      expect(tree.output()).not.toContain('Stopping.');
      tree.outermost.kill('SIGKILL');
      await nothingIsLeft(tree);
    },
  );

  it('a worker stops if its parent has ended before the worker starts; without --stop-with-parent, it outlives its parent, even in an npm script', async () => {
    redis = await startRedis();
    const tree = run(['sh', '-c', 'node dist/worker/main.js & wait'], {
      REDIS_URL: redis.url,
      npm_lifecycle_event: 'deploy',
    });
    await until('the worker is up', () => ready.test(tree.output()));
    tree.outermost.kill('SIGKILL');
    await until('its parent has ended', () => processesOf(tree.dataDir).length === 1);
    const [worker] = processesOf(tree.dataDir);
    // When a second worker has stopped because its parent has ended, the first one has had enough time to stop too.
    const ended = spawn(process.execPath, ['-e', '']);
    await once(ended, 'exit');
    const other = run([process.execPath, 'dist/worker/main.js', `--stop-with-parent=${ended.pid}`], {
      REDIS_URL: redis.url,
    });
    await nothingIsLeft(other);
    expect(processesOf(tree.dataDir)).toEqual([worker]);
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}
