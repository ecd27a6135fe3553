import type { RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses what a page of another site does with a visitor's cookie or password, which a browser sends along by itself:
 * to start, cancel or publish something (cross-site request forgery). Pages of the allowed origins may.
 */
export function refuseCrossSite(allowedOrigins: string[]): RequestHandler {
  return (req, _res, next) => {
    const bySelf = req.headers.cookie !== undefined || /^basic /i.test(req.get('authorization') ?? '');
    if (SAFE.has(req.method) || !bySelf) return next();
    const origin = req.get('origin');
    if (origin !== undefined && allowedOrigins.includes(origin)) return next();
    if (isOwn(req.get('sec-fetch-site'), origin, req.get('host'))) return next();
    throw new HeadwayError('cross-site', 'A page of another site may not do this with your cookies.');
  };
}

/** Clients that are no browsers send neither header, and no cookie that they were not told to send. */
function isOwn(site: string | undefined, origin: string | undefined, host: string | undefined): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
