import type { Redis } from 'ioredis';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { ApiKeys } from './api-keys.js';
import { tenantSchema } from './claims.js';
import { type Credential, tokenDigest } from './credential.js';
import { principalId } from './principal.js';

/** Longer than any token should live: after that its revocation is forgotten. */
const KEPT_MS = 400 * 24 * 3_600_000;

/** What is to be revoked: one token, by itself or by its `jti`, or all that somebody has been issued so far. */
export const revocationSchema = z
  .strictObject({
    token: z.string().min(1).max(10_000).optional(),
    jti: z.string().min(1).max(200).optional(),
    sub: z.string().min(1).max(200).optional(),
    tenant: tenantSchema.optional(),
  })
  .refine(({ token, jti, sub }) => [token, jti, sub].filter((name) => name !== undefined).length === 1, {
    error: 'give one of token, jti and sub',
  })
  .refine(({ sub, tenant }) => tenant === undefined || sub !== undefined, {
    error: 'a tenant goes with a sub',
  });
export type Revocation = z.output<typeof revocationSchema>;

/** What of a credential was revoked. */
export interface Revoked {
  field: 'key' | 'digest' | 'jti' | 'principal';
  name: string;
}

/** Tokens that are not valid any more before they expire. */
export interface Revocations {
  revoke(revocation: Revocation): Promise<Revoked>;
  /** @throws HeadwayError `invalid-token` for a credential that was revoked */
  check(credential: Credential): Promise<void>;
  /** Whether a credential that was valid once has been revoked since. */
  isRevoked(credential: Credential): Promise<boolean>;
}

export function createRevocations(redis: Redis, prefix: string, apiKeys: ApiKeys): Revocations {
  const keyOf = ({ field, name }: Revoked): string => `${prefix}:{auth}:revoked:${field}:${name}`;

  async function isTokenRevoked(credential: Credential): Promise<boolean> {
    const names = (['digest', 'jti', 'principal'] as const).flatMap((field): Revoked[] =>
      credential[field] === undefined ? [] : [{ field, name: credential[field] }],
    );
    if (names.length === 0) return false;
    const since = await redis.mget(names.map(keyOf));
    return since.some((at, i) => {
      if (at === null) return false;
      // `iat` has whole seconds: one of the same second is taken for older.
      return names[i]!.field !== 'principal' || (credential.issuedAt ?? 0) <= Number(at);
    });
  }

  return {
    async revoke(revocation) {
      const revoked = revokedBy(revocation);
      await redis.set(keyOf(revoked), serverNow(), 'PX', KEPT_MS);
      return revoked;
    },
    async check(credential) {
      if (await isTokenRevoked(credential)) throw new HeadwayError('invalid-token', 'The token was revoked.');
    },
    isRevoked: async (credential) =>
      credential.key === undefined ? isTokenRevoked(credential) : !(await apiKeys.isValid(credential.key)),
  };
}

function revokedBy({ token, jti, sub, tenant }: Revocation): Revoked {
  if (token !== undefined) return { field: 'digest', name: tokenDigest(token) };
  if (jti !== undefined) return { field: 'jti', name: jti };
  return { field: 'principal', name: principalId(sub!, tenant) };
}
