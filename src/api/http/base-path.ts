import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';

const basePaths = new WeakMap<IncomingMessage, string>();

/** Returns the prefix of all paths in the response to a request, such as `/headway`; empty for none. */
export const basePath = (req: IncomingMessage): string => basePaths.get(req) ?? '';

/**
 * Removes the base path from the URL of each request. Must come before any handler that reads the path. Some proxies
 * remove the base path and some do not, and a client that joins the service's URL and a link sends it twice: every
 * occurrence is removed.
 * @param publicPath the path of `PUBLIC_URL`
 */
export function takeBasePath(publicPath: string): RequestHandler {
  return (req, _res, next) => {
    basePaths.set(req, joined(publicPath, req.baseUrl));
    req.url = withoutBasePath(req.url, publicPath);
    next();
  };
}

/** Returns a request target (RFC 9112, section 3.2) without the base path. Other targets are returned unchanged. */
export function withoutBasePath(target: string, base: string): string {
  const start = /^https?:\/\/[^/?#]*/i.exec(target)?.[0].length ?? 0;
  let rest = target.slice(start);
  while (base !== '' && rest.startsWith(base) && /^([/?#]|$)/.test(rest.slice(base.length))) {
    rest = rest.slice(base.length);
  }
  if (rest.length === target.length - start) return target;
  return `${target.slice(0, start)}${rest.startsWith('/') ? '' : '/'}${rest}`;
}

/**
 * Returns the base path of a router that an application has mounted at a path. `PUBLIC_URL` may be the URL of the
 * application or of the router.
 */
function joined(publicPath: string, mountedAt: string): string {
  if (`${mountedAt}/`.startsWith(`${publicPath}/`)) return mountedAt;
  return publicPath.endsWith(mountedAt) ? publicPath : publicPath + mountedAt;
}
