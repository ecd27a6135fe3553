import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Express, Request } from 'express';
import { withoutBasePath } from './base-path.js';
import { forBothVersions } from './over-http2.js';

/** A request handler as Express (any version) and similar frameworks call it. */
export type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** The paths that Headway handles in an application. `/dashboard` and `/docs` belong to the application. */
const HEADWAY_PATHS =
  /^\/(v1\/(jobs(:batch)?|files|events|channels|schedules|definitions|keys|revocations|dashboard)|stream|client|admin\/queues|openapi\.json|asyncapi\.json|healthz|readyz)(?=[/?]|$)/i;

/** Whether Headway handles this URL when it is part of an application. */
export const isHeadwayPath = (url: string): boolean => HEADWAY_PATHS.test(url);

/**
 * Returns a handler that makes Headway part of an application. It is not mounted as an Express application, because our
 * headers, cross-site checks and preflights must not affect the application's own requests, and because the application
 * may use another version of Express, whose `req` and `res` would replace ours.
 * @param publicPath the path of `PUBLIC_URL`, which a proxy may have left in the request
 */
export function embed(app: Express, publicPath: string): Handler {
  const handle = forBothVersions(app);
  return (req, res, next) => {
    if (!isHeadwayPath(withoutBasePath(req.url ?? '', publicPath))) return next();
    const own = req as unknown as Request;
    copyTrustProxy(app, own.app as Express | undefined);
    const restore = saveState(own, res);
    // Express 4 stores the parsed query on the request. Our version computes it from the URL.
    Reflect.deleteProperty(own, 'query');
    handle(req, res, (error?: unknown) => {
      restore();
      next(error);
    });
  };
}

/** Uses the application's setting of `trust proxy`. */
function copyTrustProxy(app: Express, parent: Express | undefined): void {
  const trust: unknown = parent?.get?.('trust proxy fn');
  if (trust && app.get('trust proxy fn') !== trust) app.set('trust proxy fn', trust);
}

/** Saves the state of a request. @returns a function that restores it, except for a body that was read */
function saveState(req: Request, res: ServerResponse): () => void {
  const [asRequest, asResponse] = [Object.getPrototypeOf(req), Object.getPrototypeOf(res)];
  const { url } = req;
  const query = Object.getOwnPropertyDescriptor(req, 'query');
  const headers = new Map(
    res.getHeaderNames().flatMap((name) => {
      const value = res.getHeader(name);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
  return () => {
    Object.setPrototypeOf(req, asRequest);
    Object.setPrototypeOf(res, asResponse);
    req.url = url;
    if (query) Object.defineProperty(req, 'query', query);
    for (const name of res.getHeaderNames()) if (!headers.has(name)) res.removeHeader(name);
    for (const [name, value] of headers) res.setHeader(name, value);
  };
}
