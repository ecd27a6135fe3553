import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { createKeyRing } from '../../shared/auth/key-ring.js';
import { signUserToken } from '../../shared/auth/user-token.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import type { Secrets } from '../../shared/process/secret-list.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { AdminTokens } from './admin-tokens.js';
import { type Claim, userClaims } from './claims.js';
import type { UserKeys } from './keys.js';

const JOB_AUDIENCE = 'headway:job';

/**
 * Signs and verifies tokens, which are JWTs (RFC 7519). The token of a job (`aud` is `headway:job`, HS256) gives access to
 * that job and nothing else. The token of a user identifies the user (`sub`).
 */
export interface Tokens {
  /** Signs a token for one job. */
  sign(jobId: string): string;
  /** Verifies a token. @throws HeadwayError `invalid-token` */
  verify(token: string): Promise<Claim>;
}

export interface TokensOptions {
  /** The first one signs the tokens of jobs, all verify them. */
  secrets: Secrets;
  ttlMs: number;
  keys: UserKeys;
  audience: string;
  /** The required issuer (`iss`) of user tokens; empty to accept any. */
  issuer: string;
  /** The sessions of admins end with their tokens. */
  adminTokens: Pick<AdminTokens, 'has'>;
}

export function createTokens(options: TokensOptions): Tokens {
  const { secrets, ttlMs, keys, audience, issuer, adminTokens } = options;
  const ring = createKeyRing(secrets);
  /** The first part of the token of every job. */
  const header = encoded({ alg: 'HS256', typ: 'JWT', kid: ring.kid });

  async function verifyUser(token: string): Promise<Claim> {
    const { payload } = await jwtVerify(token, keys.keyFor, {
      currentDate: new Date(serverNow()),
      audience,
      algorithms: keys.algorithms,
      requiredClaims: ['sub', 'exp'],
      ...(issuer ? { issuer } : {}),
    });
    const claims = userClaims.safeParse(payload);
    if (!claims.success) {
      const [issue] = claims.error.issues;
      throw invalid(
        issue ? `Invalid token claim ${issue.path.join('.')}: ${issue.message}.` : 'Invalid token.',
      );
    }
    const { sub: subject, tenant, iat, jti, headway } = claims.data;
    const { admin, subscribe, publish, jobs, adminToken } = headway;
    if (adminToken !== undefined && !adminTokens.has(adminToken)) {
      throw invalid('The admin token with which this session began is no longer valid. Sign in again.');
    }
    // Always present: `jwtVerify` requires it.
    const { exp = 0 } = payload;
    return {
      subject,
      tenant,
      admin,
      grants: { subscribe, publish, jobs },
      expiresAt: exp * 1000,
      issuedAt: iat === undefined ? undefined : iat * 1000,
      jti,
      claims: payload,
    };
  }

  function verifyJob(token: string, { sub, exp, nbf = 0 }: JWTPayload): Claim {
    const { alg, crit, kid } = decodeProtectedHeader(token);
    const now = Math.floor(serverNow() / 1000);
    const end = token.lastIndexOf('.');
    const isSigned = (): boolean => ring.verify(token.slice(0, end), token.slice(end + 1), kid);
    const isValid = alg === 'HS256' && crit === undefined && isSigned();
    if (!isValid || typeof sub !== 'string' || typeof exp !== 'number' || !(nbf <= now))
      throw invalid('Invalid token.');
    if (exp <= now) throw invalid('The token has expired.');
    return { jobId: sub, expiresAt: exp * 1000 };
  }

  return {
    sign(jobId) {
      const exp = Math.floor((serverNow() + ttlMs) / 1000);
      const content = `${header}.${encoded({ sub: jobId, aud: JOB_AUDIENCE, exp })}`;
      return `${content}.${ring.sign(content)}`;
    },
    async verify(token) {
      try {
        const payload = unverified(token);
        return payload?.aud === JOB_AUDIENCE ? verifyJob(token, payload) : await verifyUser(token);
      } catch (error) {
        if (error instanceof HeadwayError) throw error;
        throw invalid(error instanceof errors.JWTExpired ? 'The token has expired.' : 'Invalid token.');
      }
    },
  };
}

/** Returns a part of a JWT (RFC 7515, section 3.1). */
function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}

const invalid = (detail: string): HeadwayError => new HeadwayError('invalid-token', detail);

/** Returns the claims of a token without verifying it, to choose the key that verifies it. */
function unverified(token: string): JWTPayload | undefined {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

/** How long an admin who signed in with a browser stays signed in, in ms, unless the admin token is removed. */
export const ADMIN_SESSION_MS = 12 * 3_600_000;
/** The owner of jobs that such an admin starts. */
const ADMIN_SUBJECT = 'headway:admin';

/** Signs the token of an admin who signs in with a browser. @param adminToken the fingerprint of the admin token */
export type AdminSession = (adminToken: string) => Promise<string>;

/**
 * Signs the tokens of admins who sign in with a browser: user tokens with `admin` rights, without the admin token itself.
 * @param secrets those that verify user tokens
 */
export const createAdminSession =
  (config: Config, [newest]: Secrets): AdminSession =>
  (adminToken) =>
    signUserToken(newest, config, {
      sub: ADMIN_SUBJECT,
      rights: { admin: true, adminToken },
      expiresMs: ADMIN_SESSION_MS,
    });
