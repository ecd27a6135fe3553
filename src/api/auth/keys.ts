import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import { HeadwayError } from '../../shared/errors.js';
import type { Config } from '../../shared/process/config.js';
import { decodeText } from '../../shared/process/text-file.js';
import { StartError } from '../../shared/start-error.js';

/** The accepted algorithms (RFC 7518, RFC 8037): one with a shared secret, the others with a public key. */
const SECRET_ALGORITHM = 'HS256';
const PUBLIC_ALGORITHMS = ['RS256', 'ES256', 'EdDSA'];

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
 * @param ownSecret used when `JWT_SECRET` is empty
 * @throws StartError for a key that cannot be read
 */
export async function userKeys(config: Config, ownSecret: string): Promise<UserKeys> {
  const secret = createSecretKey(Buffer.from(config.JWT_SECRET || ownSecret));
  const publicKey = config.JWT_PUBLIC_KEY ? await readPublicKey(config.JWT_PUBLIC_KEY) : undefined;
  const jwks = config.JWT_JWKS_URL ? remoteKeys(new URL(config.JWT_JWKS_URL)) : undefined;
  return {
    algorithms: publicKey || jwks ? [SECRET_ALGORITHM, ...PUBLIC_ALGORITHMS] : [SECRET_ALGORITHM],
    async keyFor(header: JWTHeaderParameters, token) {
      if (header.alg === SECRET_ALGORITHM) return secret;
      if (jwks && (header.kid || !publicKey)) return jwks(header, token);
      if (publicKey) return publicKey;
      throw new TypeError(`no key is configured for the algorithm ${header.alg}`);
    },
  };
}

async function readPublicKey(setting: string): Promise<KeyObject> {
  try {
    return createPublicKey(setting.includes('-----BEGIN') ? setting : decodeText(await readFile(setting)));
  } catch (error) {
    throw new StartError(`JWT_PUBLIC_KEY: cannot be read: ${(error as Error).message}`);
  }
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
