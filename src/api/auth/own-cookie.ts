import type { CookieOptions, Request } from 'express';
import { basePath } from '../http/base-path.js';

/**
 * The names that a cookie of ours may have in a request, the first one that is there counts. Over TLS a prefix keeps plain
 * pages from setting it and, with `__Host-`, other hosts too (RFC 6265bis, section 4.1.3). `__Host-` needs `Path=/`. Below
 * a path the cookie is only for that path, so that it does not reach the other services of the host, and two Headways
 * there do not overwrite each other's.
 */
export const namesOf = (req: Request, cookie: string): string[] => [
  ...(basePath(req) ? [`__Secure-${cookie}`] : []),
  `__Host-${cookie}`,
  cookie,
];

/** The name under which a cookie of ours is set in answer to a request, and for which paths. */
export function ownCookie(req: Request, cookie: string): { name: string; options: CookieOptions } {
  const base = basePath(req);
  const prefix = base ? '__Secure-' : '__Host-';
  return {
    name: req.secure ? prefix + cookie : cookie,
    options: { httpOnly: true, sameSite: 'lax', secure: req.secure, path: base || '/' },
  };
}
