import type { RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';

/** Refuses a body that is not said to be JSON; a page of another site cannot send one that is without being asked for leave. */
export const requireJson: RequestHandler = (req, _res, next) => {
  const hasBody =
    req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
  if (hasBody && !req.is('application/json')) {
    throw new HeadwayError('unsupported-media-type', 'Send JSON, with Content-Type: application/json.');
  }
  next();
};
