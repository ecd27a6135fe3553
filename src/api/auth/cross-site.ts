import type { RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that change something and come from a page on another site with the visitor's cookie or password,
 * which a browser sends automatically (cross-site request forgery). Pages of the allowed origins are accepted.
 */
export function refuseCrossSite(allowedOrigins: string[]): RequestHandler {
  return (req, _res, next) => {
    const sentAutomatically =
      req.headers.cookie !== undefined || /^basic /i.test(req.get('authorization') ?? '');
    if (SAFE.has(req.method) || !sentAutomatically) return next();
    const origin = req.get('origin');
    if (origin !== undefined && allowedOrigins.includes(origin)) return next();
    if (isOwn(req.get('sec-fetch-site'), origin, req.get('host'))) return next();
    throw new HeadwayError('cross-site', 'Pages on other sites cannot use your cookies for this request.');
  };
}

/** Clients other than browsers send neither header. They send only the cookies that they were given. */
function isOwn(site: string | undefined, origin: string | undefined, host: string | undefined): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
