import type { Keyspace } from '../keyspace.js';
import { every, type Repeated } from '../process/every.js';
import type { Service } from '../process/service.js';
import { VERSION } from '../process/version.js';
import { type AwaitOptions, checkRedis, type RedisServer, whileAway } from '../redis/await.js';
import type { RedisClient } from '../redis/client.js';
import { scriptsOf } from '../redis/scripts.js';
import { StartError } from '../start-error.js';
import { formatScripts } from './scripts.js';

/**
 * The format of what this release stores in Redis. A release raises it when processes of older releases would misread or
 * damage its data. Additions that older releases ignore do not raise it.
 */
const FORMAT = 1;
/** The oldest format that this release reads. Installations before format 1 recorded none: they count as 0. */
const OLDEST_FORMAT = 0;
/** How often a running process looks for a newer format, in ms. */
const CHECK_MS = 10_000;

/** The data in Redis has a format that this release cannot use. The message says what to do. */
export class DataFormatError extends StartError {
  override name = 'DataFormatError';
}

/** Returns the Redis key with the format of an installation's data. */
export const formatKey = ({ prefix }: Keyspace): string => `${prefix}:format`;

/**
 * Checks that this release can use the data in Redis, and records its format if the recorded one is older.
 * @throws DataFormatError for a newer format, and for one that is too old
 */
async function checkFormat(redis: RedisClient, keyspace: Keyspace): Promise<void> {
  const key = formatKey(keyspace);
  const stored = await scriptsOf(redis, formatScripts)
    .recordFormat(key, FORMAT, OLDEST_FORMAT)
    .catch((error: Error) => {
      if (error.message.includes('WRONGTYPE')) throw foreignKey(key, 'another type');
      throw error;
    });
  if (stored === null) return;
  const format = Number(stored);
  const known = `Headway ${VERSION} reads formats ${OLDEST_FORMAT} to ${FORMAT}`;
  if (!/^-?\d+$/.test(stored)) throw foreignKey(key, JSON.stringify(stored.slice(0, 40)));
  if (format > FORMAT) {
    throw new DataFormatError(
      `the data in Redis has format ${format}, written by a newer release; ${known}. Start the newer release, or restore the backup from before the upgrade`,
    );
  }
  if (format < OLDEST_FORMAT) {
    throw new DataFormatError(
      `the data in Redis has format ${format}; ${known}. Upgrade to a release in between first`,
    );
  }
}

const foreignKey = (key: string, content: string): DataFormatError =>
  new DataFormatError(
    `the Redis key ${key} must hold a number, but holds ${content}. Does another program use this KEY_PREFIX?`,
  );

/**
 * Waits until a server answers, and checks that Headway can use it and the data of an installation on it.
 * @returns the properties of the server
 * @throws UnusableRedisError, DataFormatError
 */
export async function checkInstallation(
  redis: RedisClient,
  options: AwaitOptions,
  keyspace: Keyspace,
): Promise<RedisServer> {
  const server = await checkRedis(redis, options);
  await whileAway(redis, options, () => checkFormat(redis, keyspace));
  return server;
}

/**
 * Checks the format again after each reconnect, because another copy of the data may have been restored, and every
 * {@link CHECK_MS}, because another process may have been upgraded.
 * @param onUnusable called once, when this release cannot use the data any longer
 */
export function watchFormat(
  redis: RedisClient,
  keyspace: Keyspace,
  onUnusable: (error: DataFormatError) => void,
): Service {
  const onError = (error: unknown): void => {
    // Any other error means that Redis did not answer. The next check follows.
    if (!(error instanceof DataFormatError)) return;
    void checks.stop();
    redis.off('ready', onReady);
    onUnusable(error);
  };
  const checks: Repeated = every(CHECK_MS, () => checkFormat(redis, keyspace), onError);
  const onReady = (): void => void checks.run();
  redis.on('ready', onReady);
  return {
    async stop() {
      redis.off('ready', onReady);
      // Not awaited: while Redis is away, a check of a worker does not end.
      void checks.stop();
    },
  };
}
