import type { RedisOptions } from 'ioredis';
import { type RedisSettings, tlsFilesOf } from '../process/redis-settings.js';
import { parseRedisUrl, type RedisAddress } from '../process/redis-url.js';
import { createTlsReader } from './tls.js';
import { UnusableRedisError } from './unusable.js';

/** Options of ioredis without `replyMapping`, which would change the type of the connection. */
export type Options = Omit<RedisOptions, 'replyMapping'>;

/** How long a Sentinel has to answer, in ms. A silent one must not keep a process from asking the next. */
export const SENTINEL_ANSWER_MS = 2000;

/** The wait before a connection is tried again, in ms: 100, then doubled each time up to 2000. */
export const reconnectWaitMs = (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 2000);

/**
 * Returns the options of ioredis that lead to the Redis of the settings.
 * @throws UnusableRedisError for an address that is not valid
 */
export function addressOptions(settings: RedisSettings): Options {
  const { tls: isEncrypted, sentinels, name, ...address } = parse(settings.REDIS_URL);
  const password = address.password ?? settings.REDIS_PASSWORD;
  const tls = isEncrypted ? { tls: tlsOptions(settings) } : {};
  const server: Options = {
    ...address,
    ...(password ? { password } : {}),
    // A user with only the documented permissions may not use CLIENT SETINFO, which Redis before 7.2 does not know.
    ...(address.username ? { disableClientInfo: true } : {}),
    ...tls,
  };
  if (!sentinels || name === undefined) return server;
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

function parse(url: string): RedisAddress {
  try {
    return parseRedisUrl(url);
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
