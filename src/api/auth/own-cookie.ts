import type { CookieOptions, Request } from 'express';
import { basePath } from '../http/base-path.js';
import { cookies } from './request-credentials.js';

/** The cookie with the token of a user, for `EventSource` with credentials. */
export const TOKEN_COOKIE = 'headway_token';

/**
 * Returns the prefixed names that a cookie may have in a request, in order of precedence. Browsers accept a name with a
 * prefix over TLS only, so plain HTTP pages cannot set such a cookie. `__Host-` also keeps other hosts from setting it (RFC
 * 6265bis, section 4.1.3), but requires `Path=/`. Under a base path the cookie is limited to that path, so that it does not
 * reach other services on the host, and two instances of Headway do not overwrite each other's cookies.
 */
const prefixedNames = (req: Request, cookie: string): string[] => [
  ...(basePath(req) ? [`__Secure-${cookie}`] : []),
  `__Host-${cookie}`,
];

/**
 * Returns the value of one of our cookies. Over TLS, a cookie without a prefix is ignored: a page of another host of the
 * domain, or anyone who can change plain HTTP traffic, can set it.
 */
export function ownCookieOf(req: Request, cookie: string): string | undefined {
  if (req.headers.cookie === undefined) return undefined;
  const prefixed = prefixedNames(req, cookie);
  const names = req.secure ? prefixed : [...prefixed, cookie];
  return names.flatMap((name) => cookies(req, name))[0];
}

/** Returns a hint for an application that sets the cookie of its users only under the name that is ignored over TLS. */
export function ignoredCookieHint(req: Request): string | undefined {
  if (!req.headers.cookie?.includes(TOKEN_COOKIE) || !req.secure) return undefined;
  if (cookies(req, TOKEN_COOKIE).length === 0 || ownCookieOf(req, TOKEN_COOKIE) !== undefined)
    return undefined;
  return `The cookie ${TOKEN_COOKIE} is ignored over TLS. Set it with the name ${prefixedNames(req, TOKEN_COOKIE)[0]}.`;
}

/** Returns the name and the options with which a cookie is set in the response to a request. */
export function ownCookie(req: Request, cookie: string): { name: string; options: CookieOptions } {
  // Express looks at the proxies each time.
  const { secure } = req;
  const [prefixed = cookie] = prefixedNames(req, cookie);
  return {
    name: secure ? prefixed : cookie,
    options: { httpOnly: true, sameSite: 'lax', secure, path: basePath(req) || '/' },
  };
}
