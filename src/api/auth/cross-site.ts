import type { Request, RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that change something and come from a page on another site (cross-site request forgery). Without CORS,
 * such a page can still send "simple" requests: a form, or an upload as `text/plain`, with the visitor's cookies or
 * password, or from the visitor's network. Pages of the allowed origins are accepted.
 */
export function refuseCrossSite(allowedOrigins: string[]): RequestHandler {
  return (req, _res, next) => {
    if (SAFE.has(req.method) || hasOnlyBearer(req)) return next();
    const origin = req.get('origin');
    if (origin !== undefined && allowedOrigins.includes(origin)) return next();
    if (isOwn(req.get('sec-fetch-site'), origin, req.get('host'))) return next();
    throw new HeadwayError(
      'cross-site',
      'Pages on other sites cannot send this request. Add their origin to the setting CORS_ORIGINS to allow it.',
    );
  };
}

/**
 * Whether the only credential is a bearer token. A browser never sends one by itself, and lets a page send one to another
 * site only after a preflight. Other clients, such as mobile applications with web views, may send any `Origin` with it.
 */
const hasOnlyBearer = ({ headers }: Request): boolean =>
  headers.cookie === undefined && /^bearer /i.test(headers.authorization ?? '');

/** Clients other than browsers usually send neither header. */
function isOwn(site: string | undefined, origin: string | undefined, host: string | undefined): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
