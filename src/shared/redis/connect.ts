import { Redis, type RedisOptions } from 'ioredis';
import { StartError } from '../start-error.js';
import { countCommands } from './command-metrics.js';
import { watchLiveness } from './liveness.js';
import { shareScripts } from './pipelines.js';
import { followMaster } from './read-only.js';
import { noteServerRun } from './server-run.js';

/** The purpose of a connection. It decides how the connection behaves while Redis is unavailable. */
export type ConnectionRole =
  /** Commands of an HTTP request. They fail at once, so that the caller gets a 503 instead of waiting. */
  | 'request'
  /** Commands of a worker. They wait until Redis is back. */
  | 'patient'
  /**
   * Events that a worker publishes. They fail at once, and ioredis never resends them, because it cannot know which of them
   * Redis has processed. The caller repeats them.
   */
  | 'report'
  /** Commands of BullMQ. They wait until Redis is back. */
  | 'bullmq'
  /** Pub/Sub. Commands wait; the owner of the connection subscribes again after a reconnect. */
  | 'subscriber';

/** Longer than any command takes, in ms. A silent connection is replaced sooner. */
const COMMAND_TIMEOUT_MS = 5000;

/** Options without `replyMapping`, which would change the type of the connection. */
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
 * Opens a connection. A dead connection is replaced (see {@link watchLiveness}), and so is a connection to a server that was
 * demoted (see {@link followMaster}).
 * @param url `redis://`, `rediss://` or `unix:` with the path of a socket
 * @param extra further options of ioredis, such as the `scripts` that the connection has to know
 */
export function connectRedis(url: string, role: ConnectionRole, extra: Options = {}): Redis {
  const options: Options = {
    ...roleOptions[role],
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), 2000),
    connectTimeout: 3000,
    // While Redis loads its data, its estimate of the remaining time is far too high. Ask again twice a second.
    maxLoadingRetryTime: 500,
    ...extra,
  };
  const redis = url.startsWith('unix:')
    ? new Redis({ path: url.slice('unix:'.length).replace(/^\/\/(?=\/)/, ''), ...options })
    : new Redis(url, options);
  // Without a listener, ioredis prints every failed attempt. The caller may add one that logs.
  redis.on('error', () => {});
  watch(redis, role);
  // BullMQ duplicates the connection to wait for jobs on the copy.
  const { duplicate } = redis;
  redis.duplicate = (...args) => {
    const copy = duplicate.apply(redis, args);
    watch(copy, role);
    return copy;
  };
  return redis;
}

function watch(redis: Redis, role: ConnectionRole): void {
  shareScripts(redis);
  noteServerRun(redis);
  countCommands(redis, role);
  watchLiveness(redis, { listens: role === 'subscriber' });
  followMaster(redis);
}

/** Returns a Redis URL without its credentials, for logs. */
export const redactRedisUrl = (url: string): string => url.replace(/\/\/[^@/]*@/, '//***@');

/** Properties of a Redis server. */
export interface RedisServer {
  version: string;
  /** Whether the server has sharded Pub/Sub (Redis 7 and Valkey have it). */
  sharded: boolean;
  /** A setting of the server that should be changed, in one line. */
  warning?: string;
}

/** The Redis server cannot be used. The message says why in one line. */
export class UnusableRedisError extends StartError {
  override name = 'UnusableRedisError';
}

/**
 * Waits until the server answers and checks that Headway can use it.
 * @throws UnusableRedisError if it is older than 6.2 or does not answer within `timeoutMs`
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
          warning: `Redis may evict jobs because its maxmemory-policy is "${policy}". Run: CONFIG SET maxmemory-policy noeviction`,
        }
      : {}),
  };
}

/**
 * Waits until a connection is ready.
 * @throws UnusableRedisError if the server does not answer within `timeoutMs`
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
        reject(new UnusableRedisError(`no Redis responds at ${redactRedisUrl(url)}${why}`));
      }, timeoutMs);
    });
  } finally {
    clearTimeout(timer);
    redis.off('error', onError);
  }
}
