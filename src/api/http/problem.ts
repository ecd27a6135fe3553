import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { type ErrorCode, HeadwayError } from '../../shared/errors.js';
import type { Logger } from '../../shared/process/log.js';
import { describeFault, isRedisFault } from '../../shared/redis/faults.js';
import { setRefusalHeaders } from '../limits/refusal.js';
import { basePath } from './base-path.js';
import { logOf, noteInEntry, requestIdOf } from './request-entry.js';
import { countError } from './request-metrics.js';

/** Errors of Express's body parser, by their `type`. */
const bodyErrors: Record<string, [ErrorCode, string]> = {
  'entity.parse.failed': ['invalid-json', 'The body is not valid JSON'],
  'entity.too.large': ['body-too-large', 'The body exceeds BODY_MAX_BYTES'],
  'encoding.unsupported': ['unsupported-media-type', 'The Content-Encoding is not supported'],
  'charset.unsupported': ['unsupported-media-type', 'The charset is not supported; send UTF-8'],
  'request.aborted': ['invalid-request', 'The body is incomplete'],
  'request.size.invalid': ['invalid-request', 'The body does not match its Content-Length'],
};

/**
 * Answers every error with `application/problem+json` (RFC 9457).
 * @param signInHint returns why a caller who has signed in may not be recognized, for the detail of `sign-in`
 */
export function problemHandler(
  log: Logger,
  signInHint: (req: Request) => string | undefined = () => undefined,
): ErrorRequestHandler {
  return (thrown, req, res, next) => {
    const error = asHeadwayError(thrown);
    noteInEntry(req, { code: error.code });
    // Refusals are frequent under load, and the change to them is logged.
    if (error.status >= 500 && error.code !== 'overloaded') {
      logOf(log, req).error({ err: thrown, method: req.method, path: req.path }, error.message);
    }
    const hint = error.code === 'sign-in' ? signInHint(req) : undefined;
    const explained = hint ? new HeadwayError(error.code, `${error.detail} ${hint}`) : error;
    countError(error);
    if (res.headersSent) return next(thrown);
    if (error.code === 'unavailable') res.set('Retry-After', '2');
    if (error.code === 'overloaded') res.set('Retry-After', '5');
    setRefusalHeaders(res, error);
    // The board and the dashboard have set a different scheme.
    if (!res.get('WWW-Authenticate')) {
      if (error.code === 'sign-in') res.set('WWW-Authenticate', 'Bearer');
      if (error.code === 'invalid-token') res.set('WWW-Authenticate', 'Bearer error="invalid_token"');
    }
    res
      .status(error.status)
      .type('application/problem+json')
      .send(
        JSON.stringify({ ...explained.toProblem(basePath(req) + req.path), requestId: requestIdOf(req) }),
      );
  };
}

function asHeadwayError(thrown: unknown): HeadwayError {
  if (thrown instanceof HeadwayError) return thrown;
  const {
    type,
    message = '',
    status,
  } = (thrown ?? {}) as { type?: string; message?: string; status?: number };
  const known = type ? bodyErrors[type] : undefined;
  if (known)
    return new HeadwayError(
      known[0],
      type === 'entity.parse.failed' ? `${known[1]}: ${message}` : `${known[1]}.`,
    );
  if (thrown instanceof URIError || status === 400) return new HeadwayError('invalid-request', message);
  if (isRedisFault(thrown)) return redisUnavailable(thrown as Error);
  return new HeadwayError('internal', 'An internal error occurred. It has been logged.', undefined, {
    cause: thrown,
  });
}

/** Returns the error of a request that failed with a fault of Redis. */
export const redisUnavailable = (fault: Error): HeadwayError =>
  new HeadwayError('unavailable', `${describeFault(fault)} Try again soon.`, undefined, { cause: fault });

/** Answers OPTIONS with the allowed methods of a path, and all other methods that are not allowed with 405. */
export function methods(...allowed: string[]): RequestHandler {
  const allow = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  return (req, res, next) => {
    if (allow.split(', ').includes(req.method) && req.method !== 'OPTIONS') return next();
    res.set('Allow', allow);
    if (req.method === 'OPTIONS') return void res.status(204).end();
    throw new HeadwayError('method-not-allowed', `${req.method} is not allowed. Allowed: ${allow}.`);
  };
}
