import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import type { Keyspace } from '../../shared/keyspace.js';
import { shareCalls } from '../../shared/process/shared-calls.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { ApiKeys } from './api-keys.js';
import { tenantSchema } from './claims.js';
import { type Credential, tokenDigest } from './credential.js';
import { principalId } from './principal.js';

/** How long a revocation is stored, in ms: longer than the lifetime of any token. */
const KEPT_MS = 400 * 24 * 3_600_000;

/** How long a call to Redis waits for further requests while many come at once, in ms. */
const GATHER_MS = 1;

/** Schema of a revocation: of one token, by its text or its `jti`, or of all tokens issued to a user so far. */
export const revocationSchema = z
  .strictObject({
    token: z.string().min(1).max(10_000).optional(),
    jti: z.string().min(1).max(200).optional(),
    sub: z.string().min(1).max(200).optional(),
    tenant: tenantSchema.optional(),
  })
  .refine(({ token, jti, sub }) => [token, jti, sub].filter((name) => name !== undefined).length === 1, {
    error: 'must have exactly one of token, jti and sub',
  })
  .refine(({ sub, tenant }) => tenant === undefined || sub !== undefined, {
    error: 'tenant requires sub',
  });
export type Revocation = z.output<typeof revocationSchema>;

/** The part of a credential that was revoked. */
export interface Revoked {
  field: 'key' | 'digest' | 'jti' | 'principal';
  name: string;
}

/** Revokes tokens before they expire. */
export interface Revocations {
  /** Revokes a token, or all tokens of a user. @returns the part of a credential that was revoked */
  revoke(revocation: Revocation): Promise<Revoked>;
  /** Checks a token. @throws HeadwayError `invalid-token` when it was revoked */
  check(credential: Credential): Promise<void>;
  /** Whether a credential that was valid has been revoked since. */
  isRevoked(credential: Credential): Promise<boolean>;
}

export function createRevocations(redis: RedisClient, keyspace: Keyspace, apiKeys: ApiKeys): Revocations {
  const keyOf = ({ field, name }: Revoked): string => `${keyspace.prefix}:{auth}:revoked:${field}:${name}`;

  /** The keys of the next call to Redis. */
  let asked = new Set<string>();
  /** Reads all of them. Requests that come while a call is under way share the next one. */
  const readAsked = shareCalls(async () => {
    const keys = [...asked];
    asked = new Set();
    const values = await redis.mget(keys);
    return new Map(keys.map((key, i) => [key, values[i] ?? null]));
  }, GATHER_MS);

  async function isTokenRevoked(credential: Credential): Promise<boolean> {
    const fields = (['digest', 'jti', 'principal'] as const).flatMap((field) => {
      const name = credential[field];
      return name === undefined ? [] : [{ field, key: keyOf({ field, name }) }];
    });
    if (fields.length === 0) return false;
    for (const { key } of fields) asked.add(key);
    const since = await readAsked('');
    return fields.some(({ field, key }) => {
      const at = since.get(key) ?? null;
      if (at === null) return false;
      // `iat` has whole seconds: a token issued in the same second counts as older.
      return field !== 'principal' || (credential.issuedAt ?? 0) <= Number(at);
    });
  }

  return {
    async revoke(revocation) {
      const revoked = revokedBy(revocation);
      await redis.set(keyOf(revoked), serverNow(), 'PX', KEPT_MS);
      return revoked;
    },
    async check(credential) {
      if (await isTokenRevoked(credential))
        throw new HeadwayError('invalid-token', 'The token has been revoked.');
    },
    isRevoked: async (credential) =>
      credential.key === undefined ? isTokenRevoked(credential) : !(await apiKeys.isValid(credential.key)),
  };
}

function revokedBy({ token, jti, sub, tenant }: Revocation): Revoked {
  if (token !== undefined) return { field: 'digest', name: tokenDigest(token) };
  if (jti !== undefined) return { field: 'jti', name: jti };
  if (sub !== undefined) return { field: 'principal', name: principalId(sub, tenant) };
  throw new TypeError('a revocation must have one of token, jti and sub');
}
