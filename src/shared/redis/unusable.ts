import { StartError } from '../start-error.js';

/** The Redis server cannot be used. The message says why in one line. */
export class UnusableRedisError extends StartError {
  override name = 'UnusableRedisError';
}

/** Why a connection to Redis is not ready. */
export interface Reason {
  text: string;
  /** Whether waiting does not help. */
  isMistake: boolean;
}

/** Returns a Redis URL without its credentials, for logs. */
export const redactRedisUrl = (url: string): string => url.replace(/\/\/[^/]*@/, '//***@');

/** Replies of Redis that stay the same until the address, the user or the server is changed, and what to do. */
const REPLIES: ReadonlyArray<[RegExp, (place: string, reply: string) => string]> = [
  [
    /^NOAUTH\b/,
    (place) =>
      `Redis at ${place} requires a password: redis://:<password>@<host>:<port> or REDIS_PASSWORD (NOAUTH)`,
  ],
  [
    /^WRONGPASS\b|^ERR invalid password/,
    (place) => `Redis at ${place} rejects the user name or password of its settings (WRONGPASS)`,
  ],
  [/^NOPERM\b/, (place, reply) => `the user of Redis at ${place} lacks a permission: ${reply}`],
  [
    /^ERR (DB index is out of range|invalid DB index|SELECT is not allowed)/,
    (place, reply) => `Redis at ${place} has no such database: ${reply}`,
  ],
  [
    /^ERR This instance has cluster support disabled/,
    (place) => `Redis at ${place} is not part of a Redis Cluster: use redis://<host>:<port>`,
  ],
  [/^DENIED\b/, (place) => `Redis at ${place} is in protected mode: set a password or protected-mode no`],
];
/** A reply that is not in the protocol of Redis. */
const NOT_REDIS = /^(Unknown RESP type|Protocol error)/;
/** The codes of Node for a failed TLS handshake. */
export const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO$)/;

/**
 * Returns why a server cannot be used, in one line, if waiting does not help: the same process would get the same error until
 * a setting or the server is changed. Everything else passes: a server that is down or loads its data, a name that does not
 * resolve yet, a full server.
 * @param place the address without credentials
 */
export function mistakeIn(error: Error, place: string): string | undefined {
  const { name, message } = error;
  if (name === 'ReplyError') return REPLIES.find(([pattern]) => pattern.test(message))?.[1](place, message);
  return connectionMistake(error, place, 'Redis');
}

/** Returns why the connection to a server cannot be used, if waiting does not help. @param what the kind of server */
export function connectionMistake(error: Error, place: string, what: string): string | undefined {
  const { message } = error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (NOT_REDIS.test(message)) return `the server at ${place} is not a ${what} server`;
  if (TLS_CODE.test(code)) return `TLS with ${what} at ${place} failed: ${message} (${code})`;
  return undefined;
}

/** Returns the text of an error. A host name with several addresses has an error for each. */
export function textOf(error: Error | undefined): string {
  const { code, errors } = (error ?? {}) as NodeJS.ErrnoException & { errors?: Error[] };
  return (
    error?.message || errors?.map(({ message }) => message).join(', ') || code || error?.name || 'unknown'
  );
}

/** Returns an error in words for a line about waiting, with a hint if the address may be wrong. */
export function reasonOf(error: Error, url: string): string {
  const { code } = error as NodeJS.ErrnoException;
  const text = textOf(error);
  if (code === 'ECONNRESET' && /^redis[:+]/.test(url)) return `${text} (if it requires TLS, use rediss)`;
  if (code === 'ETIMEDOUT' && /^rediss[:+]/.test(url)) return `${text} (if it has no TLS, use redis)`;
  return text;
}
