import type { RequestHandler } from 'express';
import { HeadwayError } from '../shared/errors.js';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** What a request says about where it comes from. */
export interface RequestOrigin {
  method: string;
  /** `Sec-Fetch-Site`: browsers set it, pages cannot. */
  site: string | undefined;
  /** `Origin` (RFC 6454): browsers send it with whatever is not GET or HEAD. */
  origin: string | undefined;
  host: string | undefined;
}

/**
 * Whether a request would change something at the bidding of another site's page, to which the browser adds by itself
 * the credentials that it knows. A caller that is no browser says nothing of where it comes from, and passes.
 */
export function isCrossSite({ method, site, origin, host }: RequestOrigin): boolean {
  if (SAFE.has(method)) return false;
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  return origin !== undefined && hostOf(origin) !== host;
}

const hostOf = (origin: string): string | undefined => /^https?:\/\/(.+)$/.exec(origin)?.[1];

/** Refuses what {@link isCrossSite} finds, for pages that are opened by a password which the browser remembers. */
export const refuseCrossSite: RequestHandler = (req, _res, next) => {
  const from = {
    method: req.method,
    site: req.get('sec-fetch-site'),
    origin: req.get('origin'),
    host: req.get('host'),
  };
  if (isCrossSite(from)) {
    throw new HeadwayError(
      'forbidden',
      'This can only be done from a page of this service, not from another site.',
    );
  }
  next();
};
