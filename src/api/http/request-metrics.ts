import type { RequestHandler } from 'express';
import type { HeadwayError } from '../../shared/errors.js';
import {
  httpDuration,
  httpErrors,
  httpRequests,
  limitRefusals,
} from '../../shared/metrics/process-metrics.js';
import { onAnswered } from './answered.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS']);
/** The label of everything that is not known: values come from callers, and must not become series without bound. */
const OTHER = 'other';

/**
 * Counts each request when it is answered, by method, path template and status, and measures how long that takes. A stream is
 * counted when it is opened.
 * @param routeOf returns the path template of a path; `undefined` for an unknown path
 */
export function requestMetrics(routeOf: (path: string) => string | undefined): RequestHandler {
  return (req, res, next) => {
    const { method, url } = req;
    const startedAt = performance.now();
    onAnswered(res, () => {
      const route = routeOf(url.split('?', 1)[0] as string) ?? OTHER;
      const verb = METHODS.has(method) ? method : OTHER;
      const status = res.headersSent ? String(res.statusCode) : 'aborted';
      httpRequests.at(verb, route, status).value++;
      httpDuration.at(verb, route).observe((performance.now() - startedAt) / 1000);
    });
    next();
  };
}

/** Limits are named by the code of the service. A mistake there must not make series without bound either. */
const MAX_LIMITS = 100;
const limits = new Set<string>();

/** Counts an error that is sent to a client, and the limit that refused the request, if one did. */
export function countError({ code, members: { limit } }: HeadwayError): void {
  httpErrors.at(code).value++;
  if (typeof limit !== 'string') return;
  if (limits.size < MAX_LIMITS) limits.add(limit);
  limitRefusals.at(limits.has(limit) ? limit : OTHER).value++;
}
