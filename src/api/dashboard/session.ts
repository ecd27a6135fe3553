import { createSecretKey } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Config } from '../../shared/config.js';

/** How long one who signed in as an admin in a browser stays so. */
export const SESSION_MS = 12 * 3_600_000;
/** Whose jobs those are that are started so. */
const SUBJECT = 'headway:admin';

/** Makes what the cookie of an admin has: a JWT as for any user, that says so. The admin's own token is not in it. */
export function createAdminSession(config: Config, ownSecret: string): () => Promise<string> {
  const key = createSecretKey(Buffer.from(config.JWT_SECRET || ownSecret));
  return () => {
    const jwt = new SignJWT({ headway: { admin: true } })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(SUBJECT)
      .setAudience(config.JWT_AUDIENCE)
      .setExpirationTime(new Date(Date.now() + SESSION_MS));
    return (config.JWT_ISSUER ? jwt.setIssuer(config.JWT_ISSUER) : jwt).sign(key);
  };
}
