import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { PASSWORD, USER, USER_ARGUMENTS } from './acl.js';
import { clientOf } from './client.js';
import { startApi, startWorker, type TestProcess, temporaryFolder } from './processes.js';
import { openRedis, startRedis, type TestRedis } from './redis.js';

/** Redis, an API and workers as separate processes, as in production. */
export interface Headway {
  redis: TestRedis;
  api: TestProcess;
  workers: TestProcess[];
  client: ReturnType<typeof clientOf>;
  /** The environment of every process. Further processes can be started with it. */
  env: Record<string, string>;
  /** A connection to Redis for the test itself. */
  connection: Redis;
  stop(): Promise<void>;
}

export interface HeadwayOptions {
  env?: Record<string, string>;
  workers?: number;
  /** Arguments for redis-server. */
  redisArgs?: string[];
  /** Arguments for the API and the workers. */
  args?: string[];
  appendOnly?: boolean;
  /** Whether the processes connect as the user of `acl.ts`. The test itself may do everything. */
  restricted?: boolean;
}

export async function startHeadway(options: HeadwayOptions = {}): Promise<Headway> {
  const { workers = 1, redisArgs = [], args = [], appendOnly = false, restricted = false } = options;
  const redis = await startRedis({ args: [...redisArgs, ...(restricted ? USER_ARGUMENTS : [])], appendOnly });
  const env = {
    REDIS_URL: restricted ? redis.url.replace('://', `://${USER}:${PASSWORD}@`) : redis.url,
    // Jobs of tests have keys of their own.
    ...(restricted ? { TURNS_REDIS_URL: redis.url } : {}),
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'a secret for tests that is long enough',
    ...options.env,
  };
  const [api, ...workerProcesses] = await Promise.all([
    startApi(env, args),
    ...Array.from({ length: workers }, () => startWorker(env, args)),
  ]);
  const connection = openRedis(redis.url);
  connection.on('error', () => {});
  const headway: Headway = {
    redis,
    api: api!,
    workers: workerProcesses,
    client: clientOf(api!.url),
    env,
    connection,
    async stop() {
      connection.disconnect();
      await Promise.all([headway.api, ...headway.workers].map((process) => process.kill()));
      await redis.stop();
    },
  };
  return headway;
}

/** Returns the CPU time that a process has used, in ms. Linux only. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
