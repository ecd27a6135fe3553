import { createHash } from 'node:crypto';

/**
 * What a right rests on, so that it can be looked at again while a stream is open. Times are ms since 1970. Each of
 * its names can be revoked.
 */
export interface Credential {
  /** Until when it is valid. */
  expiresAt?: number | undefined;
  /** The id of an API key. */
  key?: string | undefined;
  /** The digest of a token: see {@link tokenDigest}. */
  digest?: string | undefined;
  /** The `jti` of a token (RFC 7519, section 4.1.7). */
  jti?: string | undefined;
  /** Whose token it is, and when it was issued; 0 when it does not say. */
  principal?: string | undefined;
  issuedAt?: number | undefined;
}

/** Names a token without giving it away. */
export const tokenDigest = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** The same credentials, each once. */
export const distinct = (credentials: Array<Credential | undefined>): Credential[] => [
  ...new Map(
    credentials.flatMap((credential) =>
      credential ? [[credential.key ?? credential.digest, credential]] : [],
    ),
  ).values(),
];
