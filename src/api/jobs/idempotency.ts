import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { HeadwayError } from '../../shared/errors.js';
import type { Principal } from '../auth/principal.js';

/** What a key was used for. */
interface Use {
  jobId: string;
  /** Whether the job had been queued for certain when this was written. */
  queued: boolean;
}

/** Remembers which `Idempotency-Key` started which job. */
export interface Idempotency {
  /**
   * Claims a key for a job about to be started.
   * @returns the use of the key: `jobId` is another than the one given when the key was used before
   * @throws HeadwayError `idempotency-conflict` when it was used with another body
   */
  claim(key: string, body: unknown, jobId: string): Promise<Use>;
  /** Notes that the job is queued, so that the key never starts it again. */
  confirm(key: string, jobId: string): Promise<void>;
}

export function createIdempotency(redis: Redis, prefix: string, ttlMs: number): Idempotency {
  const redisKey = (key: string): string => `${prefix}:{idempotency:${sha256(key)}}`;
  return {
    async claim(key, body, jobId) {
      const at = redisKey(key);
      const digest = sha256(canonicalJson(body));
      const claimed = await redis.set(at, `${digest} ${jobId} claimed`, 'PX', ttlMs, 'NX');
      if (claimed) return { jobId, queued: false };
      const found = await redis.get(at);
      // It expired between the two commands.
      if (!found) return this.claim(key, body, jobId);
      const [usedDigest, usedJobId, state] = found.split(' ') as [string, string, string];
      if (usedDigest !== digest) {
        throw new HeadwayError(
          'idempotency-conflict',
          'This Idempotency-Key was used with another body. Use a new key for a new job.',
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
 * Checks the header and makes it the caller's own. Whoever is not signed in and knows a key gets the job's token, so
 * there it has to be hard to guess.
 * @throws HeadwayError `invalid-idempotency-key`
 */
export function scopedKey(key: string, caller: Principal): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(key) || (!caller.signedIn && key.length < 16)) {
    throw new HeadwayError(
      'invalid-idempotency-key',
      caller.signedIn
        ? 'An Idempotency-Key needs 1 to 255 visible ASCII characters.'
        : 'Without signing in, an Idempotency-Key needs 16 to 255 visible ASCII characters: it is a secret. A random UUID will do.',
    );
  }
  return `${escapeColons(keyScope(caller))}:${key}`;
}

/** Whose keys are apart from those of others. A cookie may be lost between two tries, a key is not. */
export const keyScope = ({ signedIn, id }: Principal): string => (signedIn ? id : 'anonymous');

/**
 * A name and a key may both have colons: joined as they are, `user:a` with the key `b:c` and `user:a:b` with the key `c`
 * would be one and the same. In the scope only the first colon, which ends the kind of principal, stays as it is; that of
 * a principal without further ones is what it was before, so that its keys outlive an upgrade.
 */
const escapeColons = (scope: string): string =>
  scope.replace(/^([^:]*:)?(.*)$/s, (_, kind = '', name: string) => kind + name.replace(/[\\:]/g, '\\$&'));

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** JSON with sorted keys, so that the same body in another order is the same. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
