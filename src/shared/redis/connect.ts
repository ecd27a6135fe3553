import { Redis } from 'ioredis';
import type { RedisSettings } from '../process/redis-settings.js';
import { type Options, reconnectWaitMs, targetOf } from './address.js';
import type { RedisClient } from './client.js';
import { connectCluster } from './cluster.js';
import { connectClusterSubscriber } from './cluster-subscriber.js';
import { countCommands, countOutages } from './command-metrics.js';
import { noteDenied } from './denied.js';
import { watchLiveness } from './liveness.js';
import { shareScripts } from './pipelines.js';
import { followMaster } from './read-only.js';
import type { ConnectionRole } from './role.js';
import { noteServerRun } from './server-run.js';
import type { Subscriber } from './subscriber.js';

export type { ConnectionRole } from './role.js';

/** Longer than any command takes, in ms. A silent connection is replaced sooner. */
const COMMAND_TIMEOUT_MS = 5000;

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
};

/** Commands wait; the owner of the connection subscribes again after a reconnect. */
const subscriberOptions: Options = {
  maxRetriesPerRequest: null,
  autoResubscribe: false,
  autoResendUnfulfilledCommands: false,
};

/** While Redis loads its data, its estimate of the remaining time is far too high. Ask again twice a second. */
const LOADING_RETRY_MS = 500;
const CONNECT_MS = 3000;

const common: Options = { connectTimeout: CONNECT_MS, maxLoadingRetryTime: LOADING_RETRY_MS };

/**
 * Opens a connection for commands. A dead connection is replaced (see {@link watchLiveness}), and so is a connection to a server
 * that was demoted (see {@link followMaster}). With Sentinel, the connection is to the master, and each reconnect asks who that
 * is. With a Cluster, it has a connection to each master (see {@link connectCluster}).
 * @param target the settings, or only the `REDIS_URL`
 * @param extra further options of ioredis, such as the `scripts` that the connection has to know
 * @throws UnusableRedisError for an address that is not valid
 */
export function connectRedis(
  target: string | RedisSettings,
  role: ConnectionRole,
  extra: Options = {},
): RedisClient {
  const reached = targetOf(typeof target === 'string' ? { REDIS_URL: target } : target);
  const options = { ...common, ...roleOptions[role], ...extra };
  return reached.nodes
    ? connectCluster(reached, role, options)
    : connectServer(reached.options, role, options);
}

/**
 * Opens a connection for Pub/Sub. It is replaced as that of {@link connectRedis} is.
 * @throws UnusableRedisError for an address that is not valid
 */
export function connectSubscriber(target: string | RedisSettings): Subscriber {
  const reached = targetOf(typeof target === 'string' ? { REDIS_URL: target } : target);
  const options = { ...common, ...subscriberOptions };
  if (!reached.nodes) return connectServer(reached.options, 'subscriber', options);
  return connectClusterSubscriber(reached, options);
}

function connectServer(address: Options, role: ConnectionRole | 'subscriber', options: Options): Redis {
  const redis = new Redis({ ...address, retryStrategy: reconnectWaitMs, ...options });
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

function watch(redis: Redis, role: ConnectionRole | 'subscriber'): void {
  shareScripts(redis);
  noteServerRun(redis);
  countCommands(redis, role);
  countOutages(redis, role);
  watchLiveness(redis, { listens: role === 'subscriber' });
  const noteReadOnly = followMaster(redis);
  // The hook of ioredis for error replies. Returning true would reconnect each time, wherever the address leads.
  redis.options.reconnectOnError = (error) => {
    noteReadOnly(error);
    noteDenied(error);
    return false;
  };
}
