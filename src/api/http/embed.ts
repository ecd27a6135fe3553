import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Express, Request, Response } from 'express';
import { withoutBasePath } from './base-path.js';

/** What Express, in any version, and others like it call for a request. */
export type Handler = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;

/** Where our routes are in an application that has its own pages: `/dashboard` and `/docs` are not ours there. */
const OURS =
  /^\/(v1\/(jobs(:batch)?|files|events|channels|schedules|definitions|keys|revocations|dashboard)|stream|client|admin\/queues|openapi\.json|asyncapi\.json|healthz|readyz)(?=[/?]|$)/i;

export const isHeadwayPath = (url: string): boolean => OURS.test(url);

/**
 * Our application as a part of somebody else's. It is not mounted as an application: what is ours (headers, the refusal of
 * what comes from other sites, preflights) must not touch requests that are theirs, and theirs may be another version of
 * Express, whose `req` and `res` would take the place of ours.
 * @param publicPath the path of `PUBLIC_URL`, which a proxy may have left in the request
 */
export function embed(app: Express, publicPath: string): Handler {
  return (req, res, next) => {
    if (!isHeadwayPath(withoutBasePath(req.url ?? '', publicPath))) return next();
    const own = req as unknown as Request;
    trustAs(app, own.app as Express | undefined);
    const giveBack = remember(own, res);
    // Express 4 writes down the query, where ours reads it from the URL.
    Reflect.deleteProperty(own, 'query');
    app(own, res as unknown as Response, (error?: unknown) => {
      giveBack();
      next(error);
    });
  };
}

/** Whether a proxy is believed is said by the application that we are a part of. */
function trustAs(app: Express, parent: Express | undefined): void {
  const trust: unknown = parent?.get?.('trust proxy fn');
  if (trust && app.get('trust proxy fn') !== trust) app.set('trust proxy fn', trust);
}

/** @returns makes a request what it was before it came to us, but for what was read of it */
function remember(req: Request, res: ServerResponse): () => void {
  const [asRequest, asResponse] = [Object.getPrototypeOf(req), Object.getPrototypeOf(res)];
  const { url } = req;
  const query = Object.getOwnPropertyDescriptor(req, 'query');
  const headers = new Map(res.getHeaderNames().map((name) => [name, res.getHeader(name)!]));
  return () => {
    Object.setPrototypeOf(req, asRequest);
    Object.setPrototypeOf(res, asResponse);
    req.url = url;
    if (query) Object.defineProperty(req, 'query', query);
    for (const name of res.getHeaderNames()) if (!headers.has(name)) res.removeHeader(name);
    for (const [name, value] of headers) res.setHeader(name, value);
  };
}
