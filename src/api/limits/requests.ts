import { createHash } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
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
 * its own limits, and a viewer that reconnects must not be refused.
 */
export function countRequests({ limiter, identify }: CountRequestsOptions): RequestHandler {
  /** What was taken for refused credentials, by their digest, so that they are refused without being verified. */
  const refused = new BoundedMap<RateTaking>(REMEMBERED);

  /** An invalid credential identifies nobody. The route decides whether that is an error. */
  const callerOf = (req: Request): Promise<PrincipalToLimit | undefined> =>
    identify(req).catch(() => undefined);

  return async (req, res, next) => {
    if (limiter.address(req) === undefined || isStream(req)) return next();
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
  req.method === 'GET' && req.path.endsWith('/events') && Boolean(req.accepts('text/event-stream'));

/** Returns a digest of everything in a request that may identify the caller; `undefined` if there is nothing. */
function credentialOf(req: Request): string | undefined {
  const { authorization = '', cookie = '' } = req.headers;
  const token = String(req.query.token ?? '');
  if (!authorization && !cookie && !token) return undefined;
  return createHash('sha256').update(`${authorization}\n${token}\n${cookie}`).digest('base64url');
}
