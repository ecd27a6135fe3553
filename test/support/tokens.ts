import { SignJWT } from 'jose';

/** Makes the tokens of users, as another service would that shares our secret. */
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

/** A call with JSON. */
export const call = (url: string, method: string, token?: string, body?: unknown): Promise<Response> =>
  fetch(url, {
    method,
    headers: { ...bearer(token), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
