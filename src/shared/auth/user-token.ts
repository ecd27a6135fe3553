import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';

import type { Config } from '../process/config.js';
import { serverNow } from '../redis/server-clock.js';

/** What a token of a user says beside whose it is: the claim `headway`. */
export interface UserRights {
  admin?: boolean | undefined;
  /** Patterns of channels. */
  subscribe?: string[] | undefined;
  publish?: string[] | undefined;
  /** The kinds of job that it may start; `undefined`: all. */
  jobs?: string[] | undefined;
}

/** Who the bearer of a token is, and what it allows. */
export interface TokenUser {
  sub: string;
  tenant?: string | undefined;
  rights: UserRights;
  /** How long it is valid, ms. */
  expiresMs: number;
}

/**
 * Signs the token of a user (RFC 7519, HS256), as the service that has this configuration accepts it. It says when it was
 * made: a revocation of all that its user had until now does not reach what he gets afterwards.
 */
export function signUserToken(
  secret: string,
  { JWT_AUDIENCE, JWT_ISSUER }: Pick<Config, 'JWT_AUDIENCE' | 'JWT_ISSUER'>,
  { sub, tenant, rights, expiresMs }: TokenUser,
): Promise<string> {
  const hasRights = Object.values(rights).some((value) => value !== undefined);
  const token = new SignJWT({ ...(tenant ? { tenant } : {}), ...(hasRights ? { headway: rights } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(sub)
    .setAudience(JWT_AUDIENCE)
    .setIssuedAt(new Date(serverNow()))
    .setExpirationTime(new Date(serverNow() + expiresMs));
  if (JWT_ISSUER) token.setIssuer(JWT_ISSUER);
  return token.sign(createSecretKey(Buffer.from(secret)));
}
