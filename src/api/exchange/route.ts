import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler } from 'express';
import { type Act, type AuditRule, actOf } from '../audit/acts.js';
import { parameterIn } from './route-finder.js';

/** What must be known of a request before its route handles it. */
export interface RouteTraits {
  /** It is answered with an event stream if the client accepts one. */
  stream?: boolean | undefined;
  /** It starts new work, which an overloaded process refuses. */
  startsWork?: boolean | undefined;
  /** What the audit log calls it. */
  audit?: AuditRule | undefined;
}

/** A path of the service. */
export interface Route {
  /** As in OpenAPI, `/v1/jobs/{id}`; one that ends in `/*` covers all paths below it. */
  template: string;
  /** By method, such as `GET`. HEAD is like GET. */
  methods: Partial<Record<string, RouteTraits>>;
}

const route = Symbol('route');
type Routed = IncomingMessage & { [route]?: Route | undefined };

/** Finds the route of each request by its path. Must come after the base path was removed. */
export function identifyRoute(find: (path: string) => Route | undefined): RequestHandler {
  return (req, _res, next) => {
    (req as Routed)[route] = find(req.path);
    next();
  };
}

/** Returns the path template of a request, such as `/v1/jobs/{id}`; `undefined` for an unknown path. */
export const templateOf = (req: IncomingMessage): string | undefined => (req as Routed)[route]?.template;

const NONE: RouteTraits = {};

/** Returns the traits of a request; none for a path or method that the service does not have. */
export function traitsOf(req: IncomingMessage): RouteTraits {
  const method = req.method === 'HEAD' ? 'GET' : (req.method ?? '');
  return (req as Routed)[route]?.methods[method] ?? NONE;
}

/** Whether a request is a long poll of a stream: it is answered at the first event. */
export const isPoll = (req: Request): boolean =>
  req.method === 'GET' && req.query.wait !== undefined && traitsOf(req).stream === true;

/** Returns what a request does, if the audit log records it. */
export function auditedAct(req: Request): Act | undefined {
  const { audit } = traitsOf(req);
  return audit && actOf(audit, req, parameterIn(req.path, templateOf(req) ?? ''));
}
