import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NEVER_OVERLOADED } from '../../support/never-overloaded.js';
import { adopt, end, isRunning } from './children.js';
import { type Network, startNetwork } from './network.js';
import { type RedisNode, startRedisNode } from './redis-node.js';

/** The checkout, whose build the processes run by default. */
export const root = fileURLToPath(new URL('../../..', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));

export type Role = 'api' | 'worker';

/** A process of Headway that can be stopped and restarted, with its own proxy to Redis. */
export interface Member {
  name: string;
  role: Role;
  /** Its proxy to Redis. */
  network: Network;
  /** The port of the API; 0 while the process does not run. */
  port: number;
  /** Whether no fault stops or kills it, so that its memory can be observed. */
  lasting: boolean;
  /** The id of the running process. */
  pid(): number | undefined;
  /** The folder of the release that it runs when it is started the next time. */
  release: string;
  start(): Promise<void>;
  /** Ends the process. Resolves to whether it exited in time. */
  end(signal: NodeJS.Signals): Promise<boolean>;
  signal(signal: NodeJS.Signals): void;
}

/** Redis, API processes, workers and the networks between them: the targets of faults. */
export interface Service {
  folder: string;
  /** The folder of the jobs' records. */
  truth: string;
  url: string;
  redis: RedisNode;
  apis: Member[];
  workers: Member[];
  /** The load balancer between viewers and the API processes. */
  front: Network;
  /** Connects the processes to another Redis. */
  moveTo(redis: RedisNode): void;
  stop(): Promise<void>;
}

export interface ServiceOptions {
  folder: string;
  apis: number;
  workers: number;
  lockMs: number;
  /** How long the processes keep a finished job, a removed one's trace and a silent channel, in ms. */
  keepMs: number;
  /** Whether the first API process and the first worker last: see {@link Member.lasting}. */
  lasting?: boolean | undefined;
  /** The folder of the release that the processes run at first. Defaults to the checkout. */
  release?: string | undefined;
}

export async function startService(options: ServiceOptions): Promise<Service> {
  const { folder, apis, workers, lockMs, keepMs, lasting = false, release = root } = options;
  const truth = join(folder, 'truth');
  mkdirSync(truth, { recursive: true });
  const redis = await startRedisNode(join(folder, 'redis'));
  const members: Member[] = [];
  const env = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_LEVEL: process.env.CAMPAIGN_LOG_LEVEL ?? 'error',
    DATA_DIR: join(folder, 'data'),
    TOKEN_SECRET: 'a secret for tests that is long enough',
    JOBS_DIR: join(here, 'jobs'),
    CAMPAIGN_TRUTH: truth,
    CHANNEL_RULES: '[{"channel":"public.**","subscribe":"anyone","publish":"anyone"}]',
    JOB_LOG_LINES: '1000000',
    CHANNEL_LOG_LENGTH: '100000',
    LOCK_DURATION_MS: String(lockMs),
    STALLED_INTERVAL_MS: '1000',
    MAX_STALLS: '1000',
    SHUTDOWN_GRACE_MS: '500',
    HEARTBEAT_MS: '1000',
    WORKER_THREADS: '2',
    KEEP_JOBS_MS: String(keepMs),
    GONE_JOBS_MS: String(keepMs),
    IDEMPOTENCY_TTL_MS: String(keepMs),
    CHANNEL_TTL_MS: String(keepMs),
    LIMIT_LOOPBACK: 'off',
    ...NEVER_OVERLOADED,
    WEBHOOK_HOSTS: '127.0.0.1',
    WEBHOOK_ALLOW_PRIVATE: 'true',
  };
  const service: Service = {
    folder,
    truth,
    url: '',
    redis,
    apis: [],
    workers: [],
    front: undefined as unknown as Network,
    moveTo(next) {
      service.redis = next;
    },
    async stop() {
      await Promise.all(members.map((member) => member.end('SIGKILL')));
      await Promise.all(
        [service.front, ...members.map(({ network }) => network)].map((proxy) => proxy?.stop()),
      );
      await service.redis.remove();
    },
  };

  async function addMember(role: Role, index: number): Promise<Member> {
    const name = `${role}-${index}`;
    const network = await startNetwork(() => [service.redis.port]);
    let child: ChildProcess | undefined;
    const member: Member = {
      name,
      role,
      network,
      port: 0,
      lasting: lasting && index === 0,
      pid: () => child?.pid,
      release,
      async start() {
        // A process that is still running is replaced.
        if (child) await end(child, 'SIGKILL');
        const log = openSync(join(folder, `${name}.log`), 'a');
        child = spawn(process.execPath, [join(member.release, 'dist', role, 'main.js')], {
          cwd: member.release,
          env: { ...env, REDIS_URL: `redis://127.0.0.1:${network.port}` },
          stdio: ['ignore', log, log, 'ipc'],
        });
        closeSync(log);
        adopt(child);
        const mine = child;
        mine.once('exit', () => {
          if (child === mine) member.port = 0;
        });
        const url = await Promise.race([
          once(mine, 'message').then(([message]) => (message as { url?: string }).url),
          once(mine, 'exit').then(([code, signal]) => {
            throw new Error(
              `${name} ended with ${code ?? signal} while it started; see ${folder}/${name}.log`,
            );
          }),
        ]);
        if (url) member.port = Number(new URL(url).port);
      },
      async end(signal) {
        return child ? end(child, signal) : true;
      },
      signal(signal) {
        if (child && isRunning(child)) child.kill(signal);
      },
    };
    members.push(member);
    await member.start();
    return member;
  }

  try {
    service.front = await startNetwork(() => service.apis.flatMap(({ port }) => (port > 0 ? [port] : [])));
    service.url = `http://127.0.0.1:${service.front.port}`;
    service.apis = await Promise.all(Array.from({ length: apis }, (_, i) => addMember('api', i)));
    service.workers = await Promise.all(Array.from({ length: workers }, (_, i) => addMember('worker', i)));
  } catch (error) {
    await service.stop();
    throw error;
  }
  return service;
}
