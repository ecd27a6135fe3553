import type { IncomingMessage } from 'node:http';
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { HeadwayError } from '../../shared/errors.js';

/** Maximum nesting of a JSON body. Schemas and `JSON.stringify` recurse into each level. */
const MAX_DEPTH = 256;

/**
 * Parses a JSON body.
 * @param limit the largest body, in bytes or as `64kb`
 * @throws HeadwayError `unsupported-media-type` for any other content type, `invalid-request` for a body that is nested too
 *   deeply
 */
export const jsonBody = (limit: number | string): RequestHandler[] => [
  requireJson,
  (req, _res, next) => {
    // A body that the application has parsed as JSON is used as it is. Text and bytes cannot be used.
    if (!isObject(req.body) || Buffer.isBuffer(req.body)) requireUnread(req);
    next();
  },
  express.json({ limit, strict: true }),
  (req, _res, next) => {
    if (isDeeperThan(req.body, MAX_DEPTH)) {
      const detail = `The body is nested more than ${MAX_DEPTH} levels deep.`;
      throw new HeadwayError('invalid-request', detail, [{ pointer: '', detail }]);
    }
    next();
  },
];

/** Works level by level, so that a deep body does not overflow the stack. */
function isDeeperThan(body: unknown, max: number): boolean {
  let level = [body].filter(isObject);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= max) return true;
    const next: object[] = [];
    for (const value of level) {
      for (const inner of Object.values(value)) if (isObject(inner)) next.push(inner);
    }
    level = next;
  }
  return false;
}

const isObject = (value: unknown): value is object => value !== null && typeof value === 'object';

/**
 * Refuses a body that is not declared to be JSON. A page on another site can send JSON only after a CORS preflight.
 * @throws HeadwayError `unsupported-media-type`
 */
function requireJson(req: Request, _res: Response, next: NextFunction): void {
  const hasBody =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (hasBody && !req.is('application/json')) {
    throw new HeadwayError('unsupported-media-type', 'Send JSON with Content-Type: application/json.');
  }
  next();
}

/**
 * Checks that the body of a request has not been read yet.
 * @throws HeadwayError `internal` when the embedding application has read it
 */
export function requireUnread(req: IncomingMessage): void {
  if (!req.readableDidRead) return;
  throw new HeadwayError(
    'internal',
    'Another part of this application read the request body before Headway did. Use headway.router before body parsers such as express.json(), express.raw(), express.text() or multer.',
  );
}
