import type { RequestHandler } from 'express';
import type { Tracing } from '../../shared/tracing/tracing.js';
import { onAnswered } from '../exchange/exchange.js';
import { templateOf } from '../exchange/route.js';

/** Requests of probes and of Prometheus, of which a trace says nothing. */
const UNTRACED = new Set(['/healthz', '/readyz', '/metrics']);

/** Traces each request: until it is answered, or until its stream is opened. */
export function requestTrace(active: Tracing): RequestHandler {
  return (req, res, next) => {
    const { method, path } = req;
    const template = templateOf(req);
    if (template !== undefined && UNTRACED.has(template)) return next();
    // The path may contain ids, but no tokens: those are in the query.
    const span = active.request(req.headers, {
      'http.request.method': method,
      'url.path': path.slice(0, 500),
    });
    onAnswered(res, ({ status }) => span.end(method, template, status));
    span.run(next);
  };
}
