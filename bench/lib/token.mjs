import { createHmac } from 'node:crypto';

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signs a user token (RFC 7519, HS256) that is valid for an hour. */
export function userToken(secret, sub, headway) {
  const now = Math.floor(Date.now() / 1000);
  const claims = { sub, aud: 'headway', iat: now, exp: now + 3600, headway };
  const content = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(claims)}`;
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}
