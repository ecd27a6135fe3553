import type { RequestHandler } from 'express';
import type { Tracing } from '../../shared/tracing/tracing.js';
import { onAnswered } from './answered.js';

/** Requests of probes and of Prometheus, of which a trace says nothing. */
const UNTRACED = new Set(['/healthz', '/readyz', '/metrics']);

/** Traces each request: until it is answered, or until its stream is opened. */
export function requestTrace(active: Tracing, routeOf: (path: string) => string | undefined): RequestHandler {
  return (req, res, next) => {
    const { method } = req;
    const path = req.url.split('?', 1)[0] as string;
    if (UNTRACED.has(path)) return next();
    // The path may contain ids, but no tokens: those are in the query.
    const span = active.request(req.headers, {
      'http.request.method': method,
      'url.path': path.slice(0, 500),
    });
    onAnswered(res, () => span.end(method, routeOf(path), res.statusCode));
    span.run(next);
  };
}
