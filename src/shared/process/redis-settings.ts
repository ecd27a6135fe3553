import { z } from 'zod';
import { parseRedisUrl, type RedisAddress } from './redis-url.js';
import { type TlsFiles, tlsFileMistakes } from './tls-files.js';

/** One password, from a variable or from the only line of a file. */
const password = (description: string) =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((given, context): string => {
      const [first = '', ...others] = [given].flat();
      if (others.length > 0) context.addIssue('must be one line');
      return first;
    })
    .prefault('')
    .describe(description);

const text = (description: string) => z.string().default('').describe(description);

/** The settings that say where Redis is and how to connect to it. */
export const redisSettings = {
  REDIS_URL: z
    .string()
    .superRefine((url, context) => {
      try {
        parseRedisUrl(url);
      } catch (error) {
        context.addIssue((error as Error).message);
      }
    })
    .default('redis://127.0.0.1:6379')
    .describe(
      'Address of the Redis (6.2 or newer) or Valkey server that stores queues and channels: `redis://`, `rediss://` (TLS), `unix:`, `redis+sentinel://` or `redis+cluster://`. If unset, `npm start` runs a private Redis. See [Redis](redis.md).',
    ),
  REDIS_CLUSTER: z
    .stringbool()
    .default(false)
    .describe(
      'Whether the server of a `redis://` or `rediss://` address is a node of a Redis Cluster. `redis+cluster://` names several nodes.',
    ),
  REDIS_PASSWORD: password(
    'Password of the Redis user, if `REDIS_URL` has none. Unlike a password in the URL, it is not percent-encoded.',
  ),
  REDIS_SENTINEL_USERNAME: text('User name on the Sentinels, if they have users of their own (ACL).'),
  REDIS_SENTINEL_PASSWORD: password(
    'Password of the Sentinels. If empty, none is sent: the password of the master is not tried.',
  ),
  REDIS_TLS_CA_FILE: text(
    'PEM file with the authorities whose certificates are trusted for `rediss://`. If empty, those of Node are.',
  ),
  REDIS_TLS_CERT_FILE: text(
    'PEM file with the client certificate, for a Redis that asks for one. It is read again for each new connection.',
  ),
  REDIS_TLS_KEY_FILE: text('PEM file with the private key of the client certificate, not encrypted.'),
  REDIS_TLS_SERVER_NAME: text(
    'Name that the certificates of Redis and of the Sentinels must have. If empty, the host that is connected to. Needed if Sentinels name the master by an IP address that its certificate does not have.',
  ),
};

type TextSetting = Exclude<keyof typeof redisSettings, 'REDIS_CLUSTER'>;

/** Where Redis is and how to connect to it. Settings that are left out are empty. */
export type RedisSettings = { REDIS_URL: string; REDIS_CLUSTER?: boolean } & Partial<
  Record<TextSetting, string>
>;

/** Names of the settings, and of their files. */
export const REDIS_SETTINGS = Object.keys(redisSettings) as Array<keyof typeof redisSettings>;

/** Returns the paths of the files for TLS. */
export const tlsFilesOf = (settings: RedisSettings): TlsFiles => ({
  ca: settings.REDIS_TLS_CA_FILE,
  cert: settings.REDIS_TLS_CERT_FILE,
  key: settings.REDIS_TLS_KEY_FILE,
});

/**
 * Parses the address of the settings.
 * @throws TypeError that says what is wrong with `REDIS_URL`
 */
export function redisAddress({ REDIS_URL: url, REDIS_CLUSTER: isCluster }: RedisSettings): RedisAddress {
  const { host, port, ...address } = parseRedisUrl(url);
  if (host === undefined || port === undefined) return address;
  return isCluster ? { ...address, nodes: [{ host, port }] } : { ...address, host, port };
}

const FILE_SETTINGS = {
  ca: 'REDIS_TLS_CA_FILE',
  cert: 'REDIS_TLS_CERT_FILE',
  key: 'REDIS_TLS_KEY_FILE',
} as const;

/** Returns one line for each setting that contradicts another one, and for each file that cannot be used. */
export function redisSettingMistakes(settings: RedisSettings): string[] {
  let address: RedisAddress;
  try {
    address = redisAddress(settings);
  } catch {
    // The setting itself has been reported.
    return [];
  }
  const unused = (prefix: string, needed: string): string[] =>
    REDIS_SETTINGS.filter((name) => name.startsWith(prefix) && settings[name]).map(
      (name) => `${name}: has no effect, because REDIS_URL is not ${needed}`,
    );
  const { REDIS_CLUSTER: isCluster = false } = settings;
  return [
    ...(isCluster && !address.nodes
      ? ['REDIS_CLUSTER: has no effect, because REDIS_URL is not redis:// or rediss://']
      : []),
    ...(address.nodes && address.db !== 0
      ? ['REDIS_URL: must not have a database, because a Redis Cluster has only one']
      : []),
    ...(address.sentinels ? [] : unused('REDIS_SENTINEL_', 'redis+sentinel://')),
    ...(address.tls
      ? tlsFileMistakes(tlsFilesOf(settings)).map(([file, mistake]) => `${FILE_SETTINGS[file]}: ${mistake}`)
      : unused('REDIS_TLS_', 'rediss://, rediss+sentinel:// or rediss+cluster://')),
  ];
}
