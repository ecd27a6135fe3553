import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { findProgram } from '../../scripts/lib/command.mjs';
import { freePort } from '../../scripts/lib/free-port.mjs';
import { apiScripts } from '../../src/api/jobs/scripts.js';
import { limitScripts } from '../../src/api/limits/scripts.js';
import { positionScripts } from '../../src/api/queue-positions/scripts.js';
import { allNodes, type RedisClient } from '../../src/shared/redis/client.js';
import { connectRedis } from '../../src/shared/redis/connect.js';
import { sharedScripts } from '../../src/shared/runtime/scripts.js';
import { workerScripts } from '../../src/worker/run/scripts.js';
import { atExit } from './at-exit.js';
import { temporaryFolder } from './folder.js';
import { until } from './until.js';

export interface TestRedis {
  url: string;
  port: number;
  /** Kills the server with a signal (SIGKILL by default). Its files stay. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Sends a signal such as SIGSTOP or SIGCONT, without waiting for an exit. */
  signal(signal: NodeJS.Signals): void;
  /** Starts the server again on the same port and files. */
  restart(): Promise<void>;
  /** Copies the files as they are now. Returns a function that restores the copy while the server is down. */
  keepCopy(): () => void;
  /** Stops the server and removes its files. */
  stop(): Promise<void>;
}

/** Every script that a process of Headway calls. */
export const allScripts = {
  ...sharedScripts,
  ...workerScripts,
  ...apiScripts,
  ...limitScripts,
  ...positionScripts,
};

/** Whether the tests of this run use a Cluster of three masters wherever they would start one server. */
export const ON_CLUSTER = process.env.TEST_ON_CLUSTER === '1';

/**
 * Opens a connection that knows every script and that waits while Redis is unavailable. That to a Cluster is typed as that to
 * one server: the tests that run on both use only commands of one key.
 */
export const openRedis = (url: string, options: Omit<RedisOptions, 'replyMapping'> = {}): Redis =>
  url.startsWith('redis+cluster:')
    ? (ofAllMasters(connectRedis(url, 'patient', { scripts: allScripts, ...options })) as Redis)
    : new Redis(url, { maxRetriesPerRequest: null, scripts: allScripts, ...options });

/** Makes the commands of tests that have no key concern all masters of a Cluster, not one of them. */
export function ofAllMasters<Client extends RedisClient>(redis: Client): Client {
  if (!redis.isCluster) return redis;
  const ask = async (name: string, ...args: string[]): Promise<unknown[]> => {
    await until('the Cluster is ready', () => redis.status === 'ready');
    return Promise.all(allNodes(redis).map((node) => node.call(name, ...args)));
  };
  return Object.assign(redis, {
    flushall: async () => (await ask('FLUSHALL'))[0],
    config: async (...args: string[]) => (await ask('CONFIG', ...args))[0],
    keys: async (pattern: string) => (await ask('KEYS', pattern)).flat(),
    info: async (...args: string[]) => (await ask('INFO', ...args)).join(''),
  });
}

/** Opens a connection to one server, which waits while it is unavailable. */
export function openNode(port: number): Redis {
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => {});
  return redis;
}

const running = new Set<ChildProcess>();
atExit(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** The program of the Redis server, which is also a Sentinel. */
export const REDIS_PROGRAM =
  process.env.REDIS_SERVER ?? findProgram('redis-server', 'valkey-server') ?? 'redis-server';

export { freePort };

/**
 * Starts a real Redis on a free port.
 * @param args further arguments for redis-server
 * @param single whether it is one server in any case (see {@link ON_CLUSTER})
 */
export async function startRedis({
  args = [] as string[],
  appendOnly = false,
  single = false,
} = {}): Promise<TestRedis> {
  // With Redis's default, "everysec", a kill can lose two seconds of acknowledged writes. Tests that need such a loss
  // cause it themselves.
  const persistence = appendOnly
    ? ['--appendonly', 'yes', '--appendfsync', 'always']
    : ['--appendonly', 'no'];
  if (ON_CLUSTER && !single) {
    const { startClusterAsRedis } = await import('./cluster.js');
    return startClusterAsRedis([...persistence, ...args]);
  }
  const dir = temporaryFolder();
  const port = await freePort();
  let child: ChildProcess;

  async function start(): Promise<void> {
    const settings = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dir,
      '--save',
      '',
      '--daemonize',
      'no',
    ];
    child = spawn(REDIS_PROGRAM, [...settings, ...persistence, ...args], { stdio: 'ignore' });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const client = new Redis(port, '127.0.0.1', {
      lazyConnect: true,
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    });
    client.on('error', () => {});
    await until('Redis answers', async () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
      return (await client.ping()) === 'PONG';
    });
    client.disconnect();
  }
  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    signal: (signal) => void child.kill(signal),
    restart: start,
    keepCopy() {
      const copy = mkdtempSync(join(tmpdir(), 'headway-test-redis-copy-'));
      cpSync(dir, copy, { recursive: true });
      return () => {
        rmSync(dir, { recursive: true });
        cpSync(copy, dir, { recursive: true });
        rmSync(copy, { recursive: true });
      };
    },
    async stop() {
      await kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
