import { createHash } from 'node:crypto';
import { HeadwayError } from '../../shared/errors.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import type { Principal } from '../auth/principal.js';

/** The use of a key. */
interface Use {
  jobId: string;
  /** Whether the job is known to have been queued. */
  queued: boolean;
}

/** Stores which job each `Idempotency-Key` started. */
export interface Idempotency {
  /**
   * Claims a key for a job that is about to be started.
   * @returns the use of the key; `jobId` is another id when the key was used before
   * @throws HeadwayError `idempotency-conflict` when the key was used with a different body
   */
  claim(key: string, body: unknown, jobId: string): Promise<Use>;
  /** Records that the job is queued, so that the key does not start it again. */
  confirm(key: string, jobId: string): Promise<void>;
}

export function createIdempotency(redis: RedisClient, keyspace: Keyspace, ttlMs: number): Idempotency {
  const redisKey = (key: string): string => `${keyspace.prefix}:{idempotency:${sha256(key)}}`;
  return {
    async claim(key, body, jobId) {
      const at = redisKey(key);
      const digest = sha256(canonicalJson(body));
      const claimed = await redis.set(at, `${digest} ${jobId} claimed`, 'PX', ttlMs, 'NX');
      if (claimed) return { jobId, queued: false };
      const found = await redis.get(at);
      // The key expired between the two commands.
      if (!found) return this.claim(key, body, jobId);
      const [usedDigest, usedJobId, state] = found.split(' ') as [string, string, string];
      if (usedDigest !== digest) {
        throw new HeadwayError(
          'idempotency-conflict',
          'This Idempotency-Key was used with a different body. Use a new key for a new job.',
        );
      }
      return { jobId: usedJobId, queued: state === 'queued' };
    },
    async confirm(key, jobId) {
      const at = redisKey(key);
      const found = await redis.get(at);
      if (found) await redis.set(at, `${found.split(' ')[0]} ${jobId} queued`, 'KEEPTTL');
    },
  };
}

/**
 * Validates an `Idempotency-Key` and scopes it to the caller. An unauthenticated caller who knows a key gets the token of
 * the job, so the key has to be hard to guess.
 * @throws HeadwayError `invalid-idempotency-key`
 */
export function scopedKey(key: string, caller: Principal): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key) || (!caller.signedIn && key.length < 16)) {
    throw new HeadwayError(
      'invalid-idempotency-key',
      caller.signedIn
        ? 'An Idempotency-Key must have 1 to 255 visible ASCII characters.'
        : 'If unauthenticated, an Idempotency-Key must have 16 to 255 visible ASCII characters, because it is a secret. Use a random UUID, for example.',
    );
  }
  return `${escapeColons(keyScope(caller))}:${key}`;
}

/** The scope of a caller's keys. All visitors share one, because a visitor may lose the cookie between two tries. */
export const keyScope = ({ signedIn, id }: Principal): string => (signedIn ? id : 'anonymous');

/**
 * Escapes the colons of a scope, except the first one, which follows the kind of principal. Scopes and keys may both have
 * colons: without escaping, `user:a` with the key `b:c` would equal `user:a:b` with the key `c`. Scopes without further
 * colons are unchanged, so that their stored keys survive an upgrade.
 */
const escapeColons = (scope: string): string =>
  scope.replace(/^([^:]*:)?(.*)$/s, (_, kind = '', name: string) => kind + name.replace(/[\\:]/g, '\\$&'));

/** Returns the SHA-256 digest of a text in hexadecimal. */
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Returns JSON with sorted keys, so that bodies that differ only in the order of keys are equal. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
