import { createHash } from 'node:crypto';

/**
 * The basis of a permission, so that it can be checked again while a stream is open. Each of `key`, `digest`, `jti` and
 * `principal` can be revoked. Times are ms since 1970.
 */
export interface Credential {
  /** When it expires. */
  expiresAt?: number | undefined;
  /** When the check whether it was revoked began, in ms of the monotonic clock. Without it, it was not checked. */
  checkedAt?: number | undefined;
  /** The id of an API key. */
  key?: string | undefined;
  /** The digest of a token; see {@link tokenDigest}. */
  digest?: string | undefined;
  /** The `jti` of a token (RFC 7519, section 4.1.7). */
  jti?: string | undefined;
  /** The principal that a token identifies. */
  principal?: string | undefined;
  /** When the token was issued; absent when the token does not say. */
  issuedAt?: number | undefined;
}

/** Returns a name for a token that does not reveal it. */
export const tokenDigest = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** Returns the credentials without duplicates. */
export const distinct = (credentials: Array<Credential | undefined>): Credential[] => [
  ...new Map(
    credentials.flatMap((credential) =>
      credential ? [[credential.key ?? credential.digest, credential]] : [],
    ),
  ).values(),
];
