import type { RedisOptions } from 'ioredis';
import { type RedisSettings, redisAddress, tlsFilesOf } from '../process/redis-settings.js';
import type { RedisAddress } from '../process/redis-url.js';
import { createTlsReader } from './tls.js';
import { TlsConnector } from './tls-connector.js';
import { UnusableRedisError } from './unusable.js';

/** Options of ioredis without `replyMapping`, which would change the type of the connection. */
export type Options = Omit<RedisOptions, 'replyMapping'>;

/** How long a Sentinel has to answer, in ms. A silent one must not keep a process from asking the next. */
export const SENTINEL_ANSWER_MS = 2000;

/** The wait before a connection is tried again, in ms: 100, then doubled each time up to 2000. */
export const reconnectWaitMs = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 2000);

/** How to reach Redis, as options of ioredis. */
export interface Target {
  /** The options of each connection. Those to the nodes of a Cluster have no address. */
  options: Options;
  /** The nodes of a Redis Cluster that lead to the others; `undefined` for one server. */
  nodes: RedisAddress['nodes'];
}

/**
 * Returns how to reach the Redis of the settings.
 * @throws UnusableRedisError for an address that is not valid
 */
export function targetOf(settings: RedisSettings): Target {
  const { nodes, ...address } = parse(settings);
  return { options: optionsOf(settings, address), nodes };
}

/**
 * Returns the options of ioredis that lead to the one server of the settings.
 * @throws UnusableRedisError for an address that is not valid
 */
export const addressOptions = (settings: RedisSettings): Options => targetOf(settings).options;

function optionsOf(settings: RedisSettings, given: Omit<RedisAddress, 'nodes'>): Options {
  const { tls: isEncrypted, sentinels, name, ...address } = given;
  const password = address.password ?? settings.REDIS_PASSWORD;
  const tls = isEncrypted ? { tls: tlsOptions(settings) } : {};
  const server: Options = {
    ...address,
    ...(password ? { password } : {}),
    // A user with only the documented permissions may not use CLIENT SETINFO, which Redis before 7.2 does not know.
    ...(address.username ? { disableClientInfo: true } : {}),
    ...tls,
  };
  if (!sentinels || name === undefined) {
    return tls.tls ? { ...server, Connector: TlsConnector as NonNullable<Options['Connector']> } : server;
  }
  return {
    ...server,
    sentinels,
    name,
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    sentinelRetryStrategy: reconnectWaitMs,
    ...(settings.REDIS_SENTINEL_USERNAME ? { sentinelUsername: settings.REDIS_SENTINEL_USERNAME } : {}),
    ...(settings.REDIS_SENTINEL_PASSWORD ? { sentinelPassword: settings.REDIS_SENTINEL_PASSWORD } : {}),
    ...(tls.tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls.tls } : {}),
  };
}

function parse(settings: RedisSettings): RedisAddress {
  try {
    return redisAddress(settings);
  } catch (error) {
    throw new UnusableRedisError(`REDIS_URL: ${(error as Error).message}`);
  }
}

function tlsOptions(settings: RedisSettings): NonNullable<Options['tls']> {
  const files = tlsFilesOf(settings);
  const options = settings.REDIS_TLS_SERVER_NAME ? { servername: settings.REDIS_TLS_SERVER_NAME } : {};
  // ioredis copies the properties of the object for each connection that it opens.
  return Object.values(files).some(Boolean)
    ? Object.defineProperty(options, 'secureContext', { enumerable: true, get: createTlsReader(files) })
    : options;
}
