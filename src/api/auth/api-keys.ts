import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { CALLER_LIMITS } from '../limits/names.js';
import { patternsSchema, tenantSchema, type UserClaim } from './claims.js';

const FORM = /^hwk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
/** How often the time of a key's last use is written, in ms. */
const USED_MS = 60_000;

/** Schema of the limits of a key, by the name of the limit. */
const ownLimitsSchema = z.partialRecord(z.enum(CALLER_LIMITS), z.number().int().min(0));

/** The body of a request for a new key. */
export const newKeySchema = z
  .strictObject({
    name: z.string().min(1).max(100),
    sub: z.string().min(1).max(200).optional(),
    tenant: tenantSchema.optional(),
    admin: z.boolean().default(false),
    subscribe: patternsSchema,
    publish: patternsSchema,
    jobs: z.array(z.string().max(100)).max(100).optional(),
    expiresAt: z.iso.datetime({ offset: true }).optional(),
    limits: ownLimitsSchema
      .optional()
      .describe('Limits of this key, instead of those of the settings; `0` for none'),
  })
  .refine(({ admin, jobs }) => !admin || jobs === undefined, {
    path: ['jobs'],
    error: 'cannot restrict an admin, who can create other keys',
  });
export type NewKey = z.output<typeof newKeySchema>;

/** An API key, without its secret. Times are ms since 1970. */
export interface ApiKey extends Omit<NewKey, 'sub' | 'expiresAt'> {
  id: string;
  /** The owner of the jobs that are started with the key. Defaults to the key's name. */
  sub: string;
  createdAt: number;
  expiresAt?: number;
  /** When it was last used, to the minute. */
  usedAt?: number;
}

/**
 * API keys for servers. They do not expire by default, and can be revoked one by one. Redis stores only the SHA-256 of a
 * secret. A slow hash is not needed, because a secret has 256 random bits and cannot be guessed.
 */
export interface ApiKeys {
  /** Creates a key. The returned secret is not stored. */
  create(key: NewKey): Promise<{ key: ApiKey; secret: string }>;
  /** Returns all keys, oldest first. */
  list(): Promise<ApiKey[]>;
  /** Removes a key. @returns whether it existed */
  remove(id: string): Promise<boolean>;
  /** Whether a key with this id exists and has not expired. */
  isValid(id: string): Promise<boolean>;
  /** Whether the key with the id in a secret was used in this process, so that the secret is probably valid. */
  wasUsed(secret: string): boolean;
  /** Verifies a secret. @throws HeadwayError `invalid-token` */
  verify(secret: string): Promise<UserClaim & { key: string }>;
}

type StoredKey = ApiKey & { hash: string };

/** Whether a token is an API key and not a JWT. */
export const isApiKey = (token: string): boolean => token.startsWith('hwk_');

export function createApiKeys(redis: RedisClient, keyspace: Keyspace): ApiKeys {
  const keys = `${keyspace.prefix}:{auth}:keys`;
  const used = `${keyspace.prefix}:{auth}:keys-used`;
  /** When the last use of each key was written. */
  const usedAt = new Map<string, number>();

  async function read(id: string): Promise<StoredKey | undefined> {
    const json = await redis.hget(keys, id);
    const key = json ? (JSON.parse(json) as StoredKey) : undefined;
    return key && (key.expiresAt === undefined || key.expiresAt > serverNow()) ? key : undefined;
  }

  return {
    async create({ name, sub = name, expiresAt, ...rest }) {
      const id = randomBytes(20).toString('hex').slice(0, 12);
      const random = randomBytes(32).toString('base64url');
      const key: ApiKey = {
        id,
        name,
        sub,
        ...rest,
        createdAt: serverNow(),
        ...(expiresAt === undefined ? {} : { expiresAt: Date.parse(expiresAt) }),
      };
      await redis.hset(keys, id, JSON.stringify({ ...key, hash: hashOf(random).toString('hex') }));
      return { key, secret: `hwk_${id}_${random}` };
    },
    async list() {
      const [all, times] = await Promise.all([redis.hgetall(keys), redis.hgetall(used)]);
      return Object.values(all)
        .map((json) => {
          const { hash: _hash, ...key } = JSON.parse(json) as StoredKey;
          return times[key.id] ? { ...key, usedAt: Number(times[key.id]) } : key;
        })
        .sort((a, b) => a.createdAt - b.createdAt);
    },
    async remove(id) {
      const [removed] = await Promise.all([redis.hdel(keys, id), redis.hdel(used, id)]);
      return removed === 1;
    },
    wasUsed: (secret) => usedAt.has(FORM.exec(secret)?.[1] ?? ''),
    isValid: async (id) => (await read(id)) !== undefined,
    async verify(secret) {
      const [, id, random = ''] = FORM.exec(secret) ?? [];
      const key = id ? await read(id) : undefined;
      if (!key || !timingSafeEqual(hashOf(random), Buffer.from(key.hash, 'hex'))) {
        throw new HeadwayError('invalid-token', 'Invalid API key. It may have been revoked.');
      }
      recordUse(key.id);
      const { sub, tenant, admin, subscribe, publish, jobs, expiresAt, limits } = key;
      return {
        key: key.id,
        subject: sub,
        tenant,
        admin,
        grants: { subscribe, publish, jobs },
        expiresAt,
        limits,
      };
    },
  };

  /** Records that a key was used, for admins who wonder whether it is still needed. Failures are ignored. */
  function recordUse(id: string): void {
    const now = serverNow();
    if ((usedAt.get(id) ?? 0) > now - USED_MS) return;
    usedAt.set(id, now);
    redis.hset(used, id, now).catch(() => {});
  }
}

const hashOf = (random: string): Buffer => createHash('sha256').update(random).digest();
