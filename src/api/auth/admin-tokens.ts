import { createHash, timingSafeEqual } from 'node:crypto';
import { createKeyRing } from '../../shared/auth/key-ring.js';
import type { Secrets } from '../../shared/process/secret-list.js';

/** The tokens in `ADMIN_TOKEN`. A token's fingerprint names it in a session, so that the session ends with the token. */
export interface AdminTokens {
  /** Returns the fingerprint of the admin token that a text equals; `undefined` if it equals none. */
  match(given: string): string | undefined;
  /** Whether a fingerprint is that of one of the tokens. */
  has(fingerprint: string): boolean;
}

/**
 * @param tokens each grants full access; empty if there is none
 * @param secrets the key of fingerprints, so that nobody can try tokens with the fingerprint in a stolen session. While the
 *   secret is replaced, fingerprints made with the old one count too
 */
export function createAdminTokens(tokens: readonly string[], secrets: Secrets): AdminTokens {
  const ring = createKeyRing(secrets);
  const known = tokens.map((token) => {
    const content = `headway:admin-token ${token}`;
    return { digest: sha256(token), content, fingerprint: ring.sign(content) };
  });
  return {
    match(given) {
      const digest = sha256(given);
      return known.find((token) => timingSafeEqual(digest, token.digest))?.fingerprint;
    },
    has: (fingerprint) => known.some(({ content }) => ring.verify(content, fingerprint, undefined)),
  };
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
