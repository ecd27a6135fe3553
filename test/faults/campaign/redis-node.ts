import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { findProgram } from '../../../scripts/lib/command.mjs';
import { freePort } from '../../support/redis.js';
import { until } from '../../support/until.js';
import { adopt, end } from './children.js';

const program = process.env.REDIS_SERVER ?? findProgram('redis-server', 'valkey-server') ?? 'redis-server';

/** One Redis server with its files, and a connection to it. */
export interface RedisNode {
  port: number;
  folder: string;
  admin: Redis;
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<unknown>;
  signal(signal: NodeJS.Signals): void;
  /** Copies the append-only file. */
  copyFiles(to: string): Promise<void>;
  /** Replaces the files by a copy, while the server is down. */
  putFiles(from: string): void;
  /** Stops the server and removes its files. */
  remove(): Promise<void>;
}

/** Starts a Redis that writes everything to its file before it acknowledges it. */
export async function startRedisNode(folder: string): Promise<RedisNode> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  let child: ChildProcess;
  const admin = new Redis(port, '127.0.0.1', {
    lazyConnect: true,
    retryStrategy: () => 20,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: false,
  });
  admin.on('error', () => {});
  const files = join(folder, 'appendonlydir');

  const node: RedisNode = {
    port,
    folder,
    admin,
    async start() {
      const settings = {
        port,
        bind: '127.0.0.1',
        dir: folder,
        save: '',
        dbfilename: 'dump.rdb',
        daemonize: 'no',
        appendonly: 'yes',
        appendfsync: 'always',
        'aof-load-truncated': 'yes',
        'repl-diskless-sync-delay': 0,
      };
      const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
      child = spawn(program, args, { stdio: 'ignore' });
      adopt(child);
      await until(
        'Redis answers',
        async () => {
          if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
          return (await admin.ping().catch(() => '')) === 'PONG';
        },
        60_000,
      );
    },
    end: (signal) => end(child, signal),
    signal: (signal) => void child.kill(signal),
    async copyFiles(to) {
      // A rewrite must not change the files while they are copied.
      await admin.config('SET', 'auto-aof-rewrite-percentage', '0');
      await until('no rewrite is running', async () =>
        /aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0/.test(await admin.info('persistence')),
      );
      cpSync(files, to, { recursive: true });
    },
    putFiles(from) {
      rmSync(files, { recursive: true, force: true });
      cpSync(from, files, { recursive: true });
    },
    async remove() {
      admin.disconnect();
      await end(child, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await node.start();
  return node;
}
