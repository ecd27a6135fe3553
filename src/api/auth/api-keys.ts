import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { HeadwayError } from '../../shared/errors.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { patternsSchema, tenantSchema, type UserClaim } from './claims.js';

const FORM = /^hwk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/;
/** How exactly it is noted when a key was last used, in ms. */
const USED_MS = 60_000;

/** What a new key is to be. */
export const newKeySchema = z.strictObject({
  name: z.string().min(1).max(100),
  sub: z.string().min(1).max(200).optional(),
  tenant: tenantSchema.optional(),
  admin: z.boolean().default(false),
  subscribe: patternsSchema,
  publish: patternsSchema,
  jobs: z.array(z.string().max(100)).max(100).optional(),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});
export type NewKey = z.output<typeof newKeySchema>;

/** An API key as it is shown: never with its secret. Times are ms since 1970. */
export interface ApiKey extends Omit<NewKey, 'sub' | 'expiresAt'> {
  id: string;
  /** Whose jobs are started with it; the key's name unless said otherwise. */
  sub: string;
  createdAt: number;
  expiresAt?: number;
  /** About when it was last used. */
  usedAt?: number;
}

/**
 * Keys for servers: they do not expire unless told to, and are revoked one by one. Redis has only the SHA-256 of the
 * secret, which has 256 random bits: nothing is to be guessed, so no slow hash is needed.
 */
export interface ApiKeys {
  /** @returns the key, and the only copy of its secret */
  make(key: NewKey): Promise<{ key: ApiKey; secret: string }>;
  list(): Promise<ApiKey[]>;
  /** @returns whether there was one */
  remove(id: string): Promise<boolean>;
  /** Whether there still is one that is valid. */
  isValid(id: string): Promise<boolean>;
  /** @throws HeadwayError `invalid-token` */
  verify(secret: string): Promise<UserClaim & { key: string }>;
}

type Kept = ApiKey & { hash: string };

/** Whether a text looks like an API key, and not like a JWT, which has dots. */
export const isApiKey = (token: string): boolean => token.startsWith('hwk_');

export function createApiKeys(redis: Redis, prefix: string): ApiKeys {
  const keys = `${prefix}:{auth}:keys`;
  const used = `${prefix}:{auth}:keys-used`;
  /** When the last use of a key was noted. */
  const noted = new Map<string, number>();

  async function read(id: string): Promise<Kept | undefined> {
    const json = await redis.hget(keys, id);
    const key = json ? (JSON.parse(json) as Kept) : undefined;
    return key && (key.expiresAt === undefined || key.expiresAt > serverNow()) ? key : undefined;
  }

  return {
    async make({ name, sub = name, expiresAt, ...rest }) {
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
          const { hash: _hash, ...key } = JSON.parse(json) as Kept;
          return times[key.id] ? { ...key, usedAt: Number(times[key.id]) } : key;
        })
        .sort((a, b) => a.createdAt - b.createdAt);
    },
    async remove(id) {
      const [removed] = await Promise.all([redis.hdel(keys, id), redis.hdel(used, id)]);
      return removed === 1;
    },
    isValid: async (id) => (await read(id)) !== undefined,
    async verify(secret) {
      const [, id, random] = FORM.exec(secret) ?? [];
      const key = id ? await read(id) : undefined;
      if (!key || !timingSafeEqual(hashOf(random!), Buffer.from(key.hash, 'hex'))) {
        throw new HeadwayError('invalid-token', 'The API key is not valid: it was revoked, or never made.');
      }
      noteUse(key.id);
      const { sub, tenant, admin, subscribe, publish, jobs, expiresAt } = key;
      return {
        key: key.id,
        subject: sub,
        tenant,
        admin,
        grants: { subscribe, publish, jobs },
        expiresAt,
      };
    },
  };

  /** Only for people who wonder whether a key is still needed. */
  function noteUse(id: string): void {
    const now = serverNow();
    if ((noted.get(id) ?? 0) > now - USED_MS) return;
    noted.set(id, now);
    redis.hset(used, id, now).catch(() => {});
  }
}

const hashOf = (random: string): Buffer => createHash('sha256').update(random).digest();
