import type { CookieOptions, Request } from 'express';
import { basePath } from '../http/base-path.js';

/**
 * Returns the names that a cookie may have in a request, in order of precedence. Over TLS, a prefix keeps plain HTTP
 * pages from setting the cookie, and `__Host-` also keeps other hosts from it (RFC 6265bis, section 4.1.3). `__Host-`
 * requires `Path=/`. Under a base path the cookie is limited to that path, so that it does not reach other services on
 * the host, and two instances of Headway do not overwrite each other's cookies.
 */
export const namesOf = (req: Request, cookie: string): string[] => [
  ...(basePath(req) ? [`__Secure-${cookie}`] : []),
  `__Host-${cookie}`,
  cookie,
];

/** Returns the name and the options with which a cookie is set in the response to a request. */
export function ownCookie(req: Request, cookie: string): { name: string; options: CookieOptions } {
  const base = basePath(req);
  const prefix = base ? '__Secure-' : '__Host-';
  // Express looks at the proxies each time.
  const { secure } = req;
  return {
    name: secure ? prefix + cookie : cookie,
    options: { httpOnly: true, sameSite: 'lax', secure, path: base || '/' },
  };
}
