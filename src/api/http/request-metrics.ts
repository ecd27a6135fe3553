import type { RequestHandler } from 'express';
import { errorCodes, type HeadwayError } from '../../shared/errors.js';
import {
  httpDuration,
  httpErrors,
  httpRequests,
  limitRefusals,
} from '../../shared/metrics/process-metrics.js';
import { onAnswered } from '../exchange/exchange.js';
import { isPoll, templateOf } from '../exchange/route.js';
import { LIMITS } from '../limits/names.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS']);
/** The label of everything that is not known: values come from callers, and must not become series without bound. */
const OTHER = 'other';

/**
 * Counts each request when it is answered, by method, path template and status, and measures how long that takes. A stream is
 * counted when it is opened. Long polls are counted, and not measured.
 */
export function requestMetrics(): RequestHandler {
  httpErrors.beginAtZero(Object.keys(errorCodes));
  limitRefusals.beginAtZero(Object.keys(LIMITS));
  return (req, res, next) => {
    const verb = METHODS.has(req.method) ? req.method : OTHER;
    const route = templateOf(req) ?? OTHER;
    const startedAt = performance.now();
    onAnswered(res, ({ status = 'aborted' }) => {
      httpRequests.at(verb, route, String(status)).value++;
      // How long a poll takes is up to its client.
      if (!isPoll(req)) httpDuration.at(verb, route).observe((performance.now() - startedAt) / 1000);
    });
    next();
  };
}

/** Counts an error that is sent to a client, and the limit that refused the request, if one did. */
export function countError({ code, members: { limit } }: HeadwayError): void {
  httpErrors.at(code).value++;
  if (typeof limit !== 'string') return;
  limitRefusals.at(Object.hasOwn(LIMITS, limit) ? limit : OTHER).value++;
}
