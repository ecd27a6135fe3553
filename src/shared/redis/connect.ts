import { Redis, type RedisOptions } from 'ioredis';
import { StartError } from '../start-error.js';
import { watchLiveness } from './liveness.js';
import { followMaster } from './read-only.js';
import { noteServerRun } from './server-run.js';

/** What a connection is for decides what it does while Redis is away. */
export type ConnectionRole =
  /** Commands of a request: fail at once, so that the caller gets a 503 instead of hanging. */
  | 'request'
  /** Commands of a worker: wait until Redis is back. */
  | 'patient'
  /**
   * What a worker publishes: fails at once and is never sent again by ioredis, which cannot know what of it Redis has taken
   * already. The caller repeats it.
   */
  | 'report'
  /** A connection that is BullMQ's own: it waits too. */
  | 'bullmq'
  /** Pub/Sub: waits, and leaves subscribing again to the subscriber. */
  | 'subscriber';

/** No command of ours takes this long, in ms; a connection that is silent is replaced sooner. */
const COMMAND_TIMEOUT_MS = 5000;

/** Options that leave the form of replies as it is: ioredis types the connection by it. */
type Options = Omit<RedisOptions, 'replyMapping'>;

const failFast: Options = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  enableAutoPipelining: true,
};

const roleOptions: Record<ConnectionRole, Options> = {
  request: failFast,
  report: failFast,
  patient: { maxRetriesPerRequest: null, enableAutoPipelining: true },
  bullmq: { maxRetriesPerRequest: null, enableAutoPipelining: true },
  subscriber: { maxRetriesPerRequest: null, autoResubscribe: false, autoResendUnfulfilledCommands: false },
};

/**
 * Opens a connection. One that is dead and says nothing is replaced, see {@link watchLiveness}; so is one to a server that
 * was demoted, see {@link followMaster}.
 * @param url `redis://`, `rediss://` or `unix:` with the path of a socket
 */
export function connectRedis(url: string, role: ConnectionRole, extra: Options = {}): Redis {
  const options: Options = {
    ...roleOptions[role],
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2000),
    connectTimeout: 3000,
    // The first guess of a Redis that loads a file is far too high: it is asked again twice a second.
    maxLoadingRetryTime: 500,
    ...extra,
  };
  const redis = url.startsWith('unix:')
    ? new Redis({ path: url.slice('unix:'.length).replace(/^\/\/(?=\/)/, ''), ...options })
    : new Redis(url, options);
  // Without a listener ioredis prints every failed attempt; whoever opens the connection may add one that logs.
  redis.on('error', () => {});
  watch(redis, role === 'subscriber');
  // BullMQ makes a connection of its own from the one it is given, on which it waits for jobs.
  const { duplicate } = redis;
  redis.duplicate = (...args) => {
    const copy = duplicate.apply(redis, args);
    watch(copy, false);
    return copy;
  };
  return redis;
}

function watch(redis: Redis, listens: boolean): void {
  noteServerRun(redis);
  watchLiveness(redis, { listens });
  followMaster(redis);
}

/** A Redis URL fit for a log line: without its password. */
export const redactRedisUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//***@');

/** What was found out about a server. */
export interface RedisServer {
  version: string;
  /** Redis 7 and Valkey have sharded Pub/Sub. */
  sharded: boolean;
  /** Something that should be changed, in one line. */
  warning?: string;
}

/** The server cannot be used; the message says why in one line. */
export class UnusableRedisError extends StartError {
  override name = 'UnusableRedisError';
}

/**
 * Waits until the server answers and looks at whether it can be used.
 * @throws UnusableRedisError when it is older than 6.2 or does not answer in `timeoutMs`
 */
export async function checkRedis(redis: Redis, url: string, timeoutMs = 10_000): Promise<RedisServer> {
  await waitUntilReady(redis, url, timeoutMs);
  const info = await redis.info('server');
  const version = /^redis_version:(.*)$/m.exec(info)?.[1]?.trim() ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new UnusableRedisError(`Redis ${version} is too old: Headway needs Redis 6.2 or newer, or Valkey`);
  }
  const [known] = (await redis.command('INFO', 'SPUBLISH')) as unknown[];
  const policy = /^maxmemory_policy:(.*)$/m.exec(await redis.info('memory'))?.[1]?.trim();
  return {
    version,
    sharded: known != null,
    ...(policy && policy !== 'noeviction'
      ? {
          warning: `Redis may evict jobs: its maxmemory-policy is "${policy}", set it to "noeviction" (CONFIG SET maxmemory-policy noeviction)`,
        }
      : {}),
  };
}

/**
 * Waits until a connection is ready.
 * @throws UnusableRedisError when the server does not answer in `timeoutMs`
 */
export async function waitUntilReady(redis: Redis, url: string, timeoutMs = 10_000): Promise<void> {
  if (redis.status === 'ready') return;
  let lastError: Error | undefined;
  const onError = (error: Error): void => {
    lastError = error;
  };
  let timer: NodeJS.Timeout | undefined;
  redis.on('error', onError);
  try {
    await new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      timer = setTimeout(() => {
        const why = lastError ? `: ${lastError.message}` : '';
        reject(new UnusableRedisError(`no Redis answers at ${redactRedisUrl(url)}${why}`));
      }, timeoutMs);
    });
  } finally {
    clearTimeout(timer);
    redis.off('error', onError);
  }
}
