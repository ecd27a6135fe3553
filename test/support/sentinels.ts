import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { atExit } from './at-exit.js';
import { block } from './documentation.js';
import { temporaryFolder } from './folder.js';
import { freePort, openRedis, REDIS_PROGRAM, startRedis, type TestRedis } from './redis.js';
import { until } from './until.js';

/** A master and a replica that three Sentinels watch. */
export interface Sentinels {
  name: string;
  password: string;
  ports: number[];
  nodes: TestRedis[];
  /** Connections to the nodes and to the Sentinels, for the test itself. */
  admins: Redis[];
  watchers: Redis[];
  /** The user on the Sentinels that the documentation describes. */
  user: { name: string; password: string };
  /** Returns the index of the node that every Sentinel names as the master, if they agree. */
  master(): Promise<number | undefined>;
  /** Waits until a node is the master, and the other a replica that could replace it. */
  settled(master: number): Promise<void>;
  /** Waits until everything that was written before is on the replica. */
  replicated(): Promise<void>;
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
atExit(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a Sentinel. Returns a function that ends it. */
async function startSentinel(port: number, settings: string[]): Promise<() => Promise<void>> {
  const file = join(temporaryFolder(), 'sentinel.conf');
  // A Sentinel writes what it learns to its configuration.
  writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', ...settings, ''].join('\n'));
  const child = spawn(REDIS_PROGRAM, [file, '--sentinel'], { stdio: 'ignore' });
  running.add(child);
  const exited = once(child, 'exit').finally(() => running.delete(child));
  return async () => {
    child.kill('SIGKILL');
    await exited;
  };
}

/** @param args arguments for the redis-server of both nodes */
export async function startSentinels(args: string[] = []): Promise<Sentinels> {
  const name = 'mymaster';
  const password = 'the password of the Sentinels';
  const nodeArgs = ['--repl-diskless-sync-delay', '0', ...args];
  const nodes = await Promise.all([startRedis({ args: nodeArgs }), startRedis({ args: nodeArgs })]);
  const admins = nodes.map(({ url }) => openRedis(url));
  await admins[1]!.replicaof('127.0.0.1', nodes[0]!.port);
  await until('the replica is in sync', async () =>
    (await admins[1]!.info('replication')).includes('master_link_status:up'),
  );
  const ports = [await freePort(), await freePort(), await freePort()];
  const settings = [
    `requirepass "${password}"`,
    `sentinel sentinel-pass "${password}"`,
    `sentinel monitor ${name} 127.0.0.1 ${nodes[0]!.port} 2`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 5000`,
  ];
  const ends = await Promise.all(ports.map((port) => startSentinel(port, settings)));
  const watchers = ports.map(
    (port) => new Redis(port, '127.0.0.1', { password, retryStrategy: () => 50, maxRetriesPerRequest: null }),
  );
  for (const redis of [...admins, ...watchers]) redis.on('error', () => {});
  const user = { name: 'headway', password: 'of-the-user' };
  const line = block('acl-sentinel').replace('PASSWORD', user.password).trim().split(' ');
  for (const redis of watchers) await redis.call(...(line as [string, ...string[]]));
  // Without it, a Sentinel takes ten seconds to notice a replica. Sentinels before Redis 7 do not know it.
  for (const redis of watchers) await redis.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', '500').catch(() => {});

  async function master(): Promise<number | undefined> {
    const named = await Promise.all(
      watchers.map((redis) => redis.call('SENTINEL', 'get-master-addr-by-name', name) as Promise<string[]>),
    );
    const found = [...new Set(named.map(([, port]) => Number(port)))];
    return found.length === 1 ? nodes.findIndex(({ port }) => port === found[0]) : undefined;
  }
  async function isReady(redis: Redis): Promise<boolean> {
    const [quorum, replicas] = await Promise.all([
      redis.call('SENTINEL', 'CKQUORUM', name).catch(() => ''),
      redis.call('SENTINEL', 'replicas', name) as Promise<string[][]>,
    ]);
    const field = (of: string[], key: string): string => of[of.indexOf(key) + 1] ?? '';
    const good = replicas.filter(
      (of) => field(of, 'flags') === 'slave' && field(of, 'master-link-status') === 'ok',
    );
    return String(quorum).includes('OK 3') && good.length === 1;
  }
  const sentinels: Sentinels = {
    name,
    password,
    ports,
    nodes,
    admins,
    watchers,
    user,
    master,
    async settled(index) {
      await until('the Sentinels name the master', async () => (await master()) === index);
      await until('each Sentinel knows the others and a good replica', async () =>
        (await Promise.all(watchers.map(isReady))).every(Boolean),
      );
    },
    async replicated() {
      const admin = admins[(await master())!]!;
      await admin.set('test:replicated', 1);
      await until('the replica has it', async () => (await admin.wait(1, 1000)) === 1);
    },
    async stop() {
      for (const redis of [...admins, ...watchers]) redis.disconnect();
      await Promise.all(ends.map((end) => end()));
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
  await sentinels.settled(0);
  return sentinels;
}
