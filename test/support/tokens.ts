import { SignJWT } from 'jose';

/** Signs user tokens with the shared secret, as an identity provider does. */
export const signer =
  (secret: string) =>
  (claims: Record<string, unknown> = {}, expires: string | Date = '1h'): Promise<string> =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience('headway')
      .setSubject((claims.sub as string) ?? 'ada')
      .setExpirationTime(expires)
      .sign(Buffer.from(secret));

export const bearer = (token?: string): Record<string, string> =>
  token ? { Authorization: `Bearer ${token}` } : {};

/** Makes an HTTP call with a JSON body. */
export const call = (url: string, method: string, token?: string, body?: unknown): Promise<Response> =>
  fetch(url, {
    method,
    headers: { ...bearer(token), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
