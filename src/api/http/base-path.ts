import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';

const basePaths = new WeakMap<IncomingMessage, string>();

/** What stands before every path of ours in what is given out with the answer to a request: `/headway`, or nothing. */
export const basePath = (req: IncomingMessage): string => basePaths.get(req) ?? '';

/**
 * Has to come before whatever reads the path of a request. Some proxies take the base path off and some leave it, and a
 * client that joins the service's address and a link has it twice: it is taken off as often as it is there.
 * @param publicPath the path of `PUBLIC_URL`
 */
export function takeBasePath(publicPath: string): RequestHandler {
  return (req, _res, next) => {
    basePaths.set(req, joined(publicPath, req.baseUrl));
    req.url = withoutBasePath(req.url, publicPath);
    next();
  };
}

/** The target of a request (RFC 9112, section 3.2) without the base path; others as they are. */
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
 * The base path of a router that an application has mounted at a path. Its `PUBLIC_URL` may be that of the application or
 * that of the router.
 */
function joined(publicPath: string, mountedAt: string): string {
  if (`${mountedAt}/`.startsWith(`${publicPath}/`)) return mountedAt;
  return publicPath.endsWith(mountedAt) ? publicPath : publicPath + mountedAt;
}
