import { Redis, type RedisOptions } from 'ioredis';
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
