import { createPublicKey, type KeyObject, verify, webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type FlattenedJWSInput,
  type JWTHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import { createKeyRing } from '../../shared/auth/key-ring.js';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import type { Secrets } from '../../shared/process/secret-list.js';
import { decodeText } from '../../shared/process/text-file.js';
import { StartError } from '../../shared/start-error.js';
import { userSecrets } from './secrets.js';

/** The accepted algorithms (RFC 7518, RFC 8037): one with a shared secret, the others with a public key. */
const SECRET_ALGORITHM = 'HS256';
const PUBLIC_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];
const PEM_BLOCK = /-----BEGIN ([^-]+)-----.*?-----END \1-----/gs;

/** The keys that verify user tokens. */
export interface UserKeys {
  /** The algorithms for which there is a key. */
  algorithms: string[];
  /**
   * Returns the key for a token by its algorithm. A shared secret never verifies a public-key signature, or vice versa.
   */
  keyFor: JWTVerifyGetKey;
}

/**
 * Reads the keys of the configuration: `JWT_SECRET`, `JWT_PUBLIC_KEY`, `JWT_JWKS_URL`.
 * @param own the secrets to use when `JWT_SECRET` is empty
 * @throws StartError for a key that cannot be read
 */
export async function userKeys(config: Config, own: Secrets): Promise<UserKeys> {
  const ring = createKeyRing(userSecrets(config, own));
  const hmacKey = keptImports();
  const publicKeys = config.JWT_PUBLIC_KEY ? await readPublicKeys(config.JWT_PUBLIC_KEY) : undefined;
  const jwks = config.JWT_JWKS_URL ? remoteKeys(new URL(config.JWT_JWKS_URL)) : undefined;
  return {
    algorithms: publicKeys || jwks ? [SECRET_ALGORITHM, ...PUBLIC_ALGORITHMS] : [SECRET_ALGORITHM],
    async keyFor(header: JWTHeaderParameters, token) {
      if (header.alg === SECRET_ALGORITHM) {
        return hmacKey(ring.find(`${token.protected}.${token.payload}`, token.signature, header.kid));
      }
      if (jwks && (header.kid || !publicKeys)) return jwks(header, token);
      if (publicKeys) return signerOf(publicKeys, header.alg, token);
      throw new TypeError(`no key is configured for the algorithm ${header.alg}`);
    },
  };
}

/** Returns a function that imports each secret for jose once. jose would import it again for each token. */
function keptImports(): (key: KeyObject) => Promise<webcrypto.CryptoKey> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imports = new Map<KeyObject, Promise<webcrypto.CryptoKey>>();
  return (key) => {
    const kept =
      imports.get(key) ?? webcrypto.subtle.importKey('raw', key.export(), algorithm, false, ['verify']);
    imports.set(key, kept);
    return kept;
  };
}

/** Reads the public keys of a setting: one, or several PEM blocks one after the other. */
async function readPublicKeys(setting: string): Promise<[KeyObject, ...KeyObject[]]> {
  try {
    const text = setting.includes('-----BEGIN') ? setting : decodeText(await readFile(setting));
    const [first = text, ...others] = text.match(PEM_BLOCK) ?? [];
    return [createPublicKey(first), ...others.map((pem) => createPublicKey(pem))];
  } catch (error) {
    throw new StartError(`JWT_PUBLIC_KEY: cannot be read: ${(error as Error).message}`);
  }
}

/** Returns the key that has signed a token, or another one if none has. PEM has no ids, so each key is tried. */
function signerOf(
  keys: [KeyObject, ...KeyObject[]],
  alg: string,
  { protected: header, payload, signature }: FlattenedJWSInput,
): KeyObject {
  if (keys.length === 1) return keys[0];
  const hash = alg === 'EdDSA' ? null : 'sha256';
  const content = Buffer.from(`${header}.${payload}`);
  const hasSigned = (key: KeyObject): boolean => {
    try {
      // Signatures with ES256 are not in DER (RFC 7518, section 3.4).
      return verify(hash, content, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    } catch {
      // The key is for another algorithm.
      return false;
    }
  };
  return keys.find(hasSigned) ?? keys[0];
}

/**
 * Returns the keys at a JWKS URL (RFC 7517, section 5). They are fetched at first use, and again after ten minutes or
 * for an unknown key. While the URL does not respond, the keys of the last response stay valid.
 * The returned function throws a HeadwayError `unavailable` before the first response.
 */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, { timeoutDuration: 3000 });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) throw error;
      const known = remote.jwks();
      if (known) return createLocalJWKSet(known)(header, token);
      throw new HeadwayError(
        'unavailable',
        'The keys that verify tokens cannot be fetched at the moment.',
        undefined,
        {
          cause: error,
        },
      );
    }
  };
}
