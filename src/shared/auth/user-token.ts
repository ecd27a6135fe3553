import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Config } from '../process/config.js';
import { serverNow } from '../redis/server-clock.js';
import { keyIdOf } from './key-ring.js';

/** The rights in a user token: its claim `headway`. */
export interface UserRights {
  admin?: boolean | undefined;
  /** Channel patterns. */
  subscribe?: string[] | undefined;
  publish?: string[] | undefined;
  /** The kinds of job that the user may start; `undefined` means all. */
  jobs?: string[] | undefined;
  /** In the session of an admin: the fingerprint of the admin token with which it began. It ends with that token. */
  adminToken?: string | undefined;
}

/** The content of a user token. */
export interface TokenUser {
  sub: string;
  tenant?: string | undefined;
  rights: UserRights;
  /** How long the token is valid, in ms. */
  expiresMs: number;
}

/**
 * Signs a user token (RFC 7519, HS256) for the service with this configuration. The token has an issue time (`iat`), so
 * revoking all tokens that a user has now does not affect later ones.
 */
export function signUserToken(
  secret: string,
  { JWT_AUDIENCE, JWT_ISSUER }: Pick<Config, 'JWT_AUDIENCE' | 'JWT_ISSUER'>,
  { sub, tenant, rights, expiresMs }: TokenUser,
): Promise<string> {
  const hasRights = Object.values(rights).some((value) => value !== undefined);
  const token = new SignJWT({ ...(tenant ? { tenant } : {}), ...(hasRights ? { headway: rights } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: keyIdOf(secret) })
    .setSubject(sub)
    .setAudience(JWT_AUDIENCE)
    .setIssuedAt(new Date(serverNow()))
    .setExpirationTime(new Date(serverNow() + expiresMs));
  if (JWT_ISSUER) token.setIssuer(JWT_ISSUER);
  return token.sign(createSecretKey(Buffer.from(secret)));
}
