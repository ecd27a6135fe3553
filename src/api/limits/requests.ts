import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { onAnswered } from '../exchange/exchange.js';
import { traitsOf } from '../exchange/route.js';
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
 * Counts requests against the caller's `requests`. Requests for event streams do not count, because the number of streams has
 * its own limits, and a viewer that reconnects must not be refused. Those that fail do count, apart from the others, for their
 * address: otherwise a caller could guess jobs and tokens without a limit.
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
  req.method === 'GET' && traitsOf(req).stream === true && Boolean(req.accepts('text/event-stream'));

/** Counts a request for a stream if it fails. @throws HeadwayError `rate-limited` if too many from its address have failed */
function countFailedStream(limiter: Limiter, req: Request, res: Response): void {
  const caller = limiter.caller(req, undefined);
  const max = limiter.max('requests', caller);
  if (max === undefined) return;
  const taking: RateTaking = { limit: 'requests', who: `streams:${caller.who}`, max };
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
