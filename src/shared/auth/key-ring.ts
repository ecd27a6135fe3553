import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Secrets } from '../process/secret-list.js';

/**
 * Shared secrets for HMAC-SHA256 (HS256 in RFC 7518, section 3.2): the first one signs, all of them verify. So a secret
 * can be replaced while tokens that it signed are in use.
 */
export interface KeyRing {
  /** The id of the first secret, for the header `kid` (RFC 7515, section 4.1.4). */
  kid: string;
  /** Signs a text with the first secret. @returns the signature in base64url */
  sign(content: string): string;
  /**
   * Whether one of the secrets has made a signature. Compares the signature as text, so that it has no other spelling.
   * @param kid the id in the token. If it names a secret, only that one is tried.
   */
  verify(content: string, signature: string, kid: unknown): boolean;
  /** Returns the secret that has made a signature, or another one if none has. Takes the same arguments as `verify`. */
  find(content: string, signature: string, kid: unknown): KeyObject;
}

export function createKeyRing([first, ...others]: Secrets): KeyRing {
  const newest = keyOf(first);
  const all = [newest, ...others.map(keyOf)];
  const kid = keyId(newest);
  const byId = new Map<unknown, KeyObject>(all.map((key) => [keyId(key), key]));

  /** Tokens of other signers, and of releases before there were ids, do not name a secret: each one is tried. */
  const candidates = (id: unknown): KeyObject[] => {
    const named = byId.get(id);
    return named ? [named] : all;
  };
  function hasMade(key: KeyObject, content: string, signature: string): boolean {
    const given = Buffer.from(signature);
    const expected = Buffer.from(hmac(key, content));
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  return {
    kid,
    sign: (content) => hmac(newest, content),
    verify: (content, signature, id) => candidates(id).some((key) => hasMade(key, content, signature)),
    find(content, signature, id) {
      const tried = candidates(id);
      const [only = newest] = tried;
      if (tried.length === 1) return only;
      return tried.find((key) => hasMade(key, content, signature)) ?? only;
    },
  };
}

/** Returns the id of a secret. It reveals no more about the secret than a signature does. */
export const keyIdOf = (secret: string): string => keyId(keyOf(secret));

const keyOf = (secret: string): KeyObject => createSecretKey(Buffer.from(secret));

const keyId = (key: KeyObject): string => hmac(key, 'headway:kid').slice(0, 8);

// Every started job gets a token, and most viewers send one. An HMAC in this thread takes a tenth of the time that
// WebCrypto takes in another.
const hmac = (key: KeyObject, content: string): string =>
  createHmac('sha256', key).update(content).digest('base64url');
