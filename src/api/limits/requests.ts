import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { onAnswered } from '../exchange/exchange.js';
import { isPoll, traitsOf } from '../exchange/route.js';
import { BoundedMap } from './bounded-map.js';
import type { PrincipalToLimit } from './caller.js';
import type { Limiter } from './limiter.js';
import type { RateTaking } from './rates.js';

/** How many refused credentials a process remembers. */
const REMEMBERED = 10_000;

export interface CountRequestsOptions {
  limiter: Limiter;
  /** Returns the caller of a request; `undefined` if unidentified. Rejects if the credential is invalid. */
  identify: (req: Request) => Promise<PrincipalToLimit | undefined>;
}

/**
 * Counts requests against the caller's `requests`. Requests for event streams, and long polls of them, do not count,
 * because streams have limits of their own, which let all viewers reconnect. Those that fail do count, apart from the
 * others, for their address: otherwise a caller could guess jobs and tokens without a limit.
 */
export function countRequests({ limiter, identify }: CountRequestsOptions): RequestHandler {
  /** What was taken for refused credentials, by their digest, so that they are refused without being verified. */
  const refused = new BoundedMap<RateTaking>(REMEMBERED);

  /** An invalid credential identifies nobody. The route decides whether that is an error. */
  const callerOf = (req: Request): Promise<PrincipalToLimit | undefined> =>
    identify(req).catch(() => undefined);

  return async (req, res, next) => {
    if (limiter.address(req) === undefined) return next();
    if (isStream(req)) {
      countFailedStream(limiter, req, res);
      return next();
    }
    const credential = credentialOf(req);
    const known = credential === undefined ? undefined : refused.get(credential);
    if (known) limiter.refuseKnown(known);
    const caller = limiter.caller(req, credential === undefined ? undefined : await callerOf(req));
    const max = limiter.max('requests', caller);
    if (max === undefined) return next();
    const taking: RateTaking = { limit: 'requests', who: caller.who, max };
    try {
      await limiter.take(taking, res);
    } catch (error) {
      if (credential !== undefined && caller.kind !== 'anonymous') refused.set(credential, taking);
      throw error;
    }
    next();
  };
}

const isStream = (req: Request): boolean =>
  isPoll(req) ||
  (req.method === 'GET' && traitsOf(req).stream === true && Boolean(req.accepts('text/event-stream')));

/** The part of a request that a file of a page counts as, so that a page with its files counts as little more than one. */
const FILE_UNITS = 0.05;

/**
 * Counts requests for pages and their files, and for unknown paths. They need no credential, so they count for their address,
 * apart from its other requests. They never wait for Redis.
 * @param of `file` for what a page loads by the dozen
 */
export function countPages(limiter: Limiter, of: 'page' | 'file'): RequestHandler {
  const units = of === 'file' ? FILE_UNITS : 1;
  return (req, _res, next) => {
    const taking = takingOfAddress(limiter, req, 'pages');
    if (taking) {
      limiter.refuseKnown({ ...taking, units });
      // Not awaited: the number may be exceeded by what arrives meanwhile.
      limiter.rates.take({ ...taking, units }).catch(() => {});
    }
    next();
  };
}

/** Returns what requests of a kind take that count for their address, apart from its other requests; `undefined` without a limit. */
function takingOfAddress(limiter: Limiter, req: Request, kind: string): RateTaking | undefined {
  const caller = limiter.caller(req, undefined);
  const max = limiter.max('requests', caller);
  return max === undefined ? undefined : { limit: 'requests', who: `${kind}:${caller.who}`, max };
}

/** Counts a request for a stream if it fails. @throws HeadwayError `rate-limited` if too many from its address have failed */
function countFailedStream(limiter: Limiter, req: Request, res: Response): void {
  const taking = takingOfAddress(limiter, req, 'streams');
  if (!taking) return;
  limiter.refuseKnown(taking);
  onAnswered(res, ({ status }) => {
    const failed = status === undefined || (status >= 400 && status < 500 && status !== 429);
    // Not awaited: the number may be exceeded by what arrives meanwhile.
    if (failed) limiter.rates.take(taking).catch(() => {});
  });
}

/** Returns a digest of everything in a request that may identify the caller; `undefined` if there is nothing. */
function credentialOf(req: Request): string | undefined {
  const { authorization = '', cookie = '' } = req.headers;
  const token = String(req.query.token ?? '');
  if (!authorization && !cookie && !token) return undefined;
  return createHash('sha256').update(`${authorization}\n${token}\n${cookie}`).digest('base64url');
}
