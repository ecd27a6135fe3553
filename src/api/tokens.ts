import { createSecretKey } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { Config } from '../shared/config.js';
import { HeadwayError } from '../shared/errors.js';
import { keptSecret } from '../shared/kept-secret.js';
import { StartError } from '../shared/process.js';

const JOB_AUDIENCE = 'headway:job';
const USER_AUDIENCE = 'headway';

/** What a token says: it opens one job, or it says who somebody is. */
export type Claim = { jobId: string } | { subject: string; admin: boolean };

/**
 * Signs and checks tokens: JWTs (RFC 7519, HS256). The capability token of a job (`aud` is `headway:job`) says which
 * job may be seen, and nothing else. A token with `aud` `headway` says who its bearer is (`sub`).
 */
export interface Tokens {
  /** A token for one job. */
  sign(jobId: string): Promise<string>;
  /** @throws HeadwayError `invalid-token` */
  verify(token: string): Promise<Claim>;
}

export function createTokens(secret: string, ttlMs: number): Tokens {
  const key = createSecretKey(Buffer.from(secret));
  return {
    sign(jobId) {
      return new SignJWT()
        .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
        .setSubject(jobId)
        .setAudience(JOB_AUDIENCE)
        .setExpirationTime(new Date(Date.now() + ttlMs))
        .sign(key);
    },
    async verify(token) {
      let payload: JWTPayload;
      try {
        ({ payload } = await jwtVerify(token, key, {
          audience: [JOB_AUDIENCE, USER_AUDIENCE],
          algorithms: ['HS256'],
          requiredClaims: ['sub', 'exp'],
        }));
      } catch (error) {
        const detail =
          error instanceof errors.JWTExpired
            ? 'The token has expired.'
            : 'The token was not made for this service, or was changed.';
        throw new HeadwayError('invalid-token', detail);
      }
      if (payload.aud === JOB_AUDIENCE) return { jobId: payload.sub! };
      const { admin } = (payload.headway ?? {}) as { admin?: unknown };
      return { subject: payload.sub!, admin: admin === true };
    },
  };
}

/**
 * The signing secret: configured, or made once and kept in the data folder.
 * @throws StartError when it is not configured in production, where every API process must have the same
 */
export async function signingSecret(config: Config, production: boolean): Promise<string> {
  if (config.TOKEN_SECRET) return config.TOKEN_SECRET;
  if (production) {
    throw new StartError(
      'TOKEN_SECRET: must be set with NODE_ENV=production (32 bytes or more, e.g. openssl rand -hex 32)',
    );
  }
  return keptSecret(config.DATA_DIR, 'token-secret');
}

/** What opens everything: configured, or made once and kept in the data folder; in production only what is configured. */
export async function adminToken(config: Config, production: boolean): Promise<string | undefined> {
  if (config.ADMIN_TOKEN) return config.ADMIN_TOKEN;
  return production ? undefined : keptSecret(config.DATA_DIR, 'admin-token');
}
