import { signUserToken } from '../../shared/auth/user-token.js';
import type { Config } from '../../shared/process/config.js';

/** How long one who signed in as an admin in a browser stays so. */
export const SESSION_MS = 12 * 3_600_000;
/** Whose jobs those are that are started so. */
const SUBJECT = 'headway:admin';

/** Makes what the cookie of an admin has: a JWT as for any user, that says so. The admin's own token is not in it. */
export function createAdminSession(config: Config, ownSecret: string): () => Promise<string> {
  const user = { sub: SUBJECT, rights: { admin: true }, expiresMs: SESSION_MS };
  return () => signUserToken(config.JWT_SECRET || ownSecret, config, user);
}
