import express, { type RequestHandler } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { requireJson } from './require-json.js';
import { requireUnread } from './unread-body.js';

/** Far more than anybody means. What comes after (schemas, `JSON.stringify`) calls itself for each level. */
const MAX_DEPTH = 256;

/**
 * Reads a JSON body: said to be JSON, at most `limit` bytes, not nested too deeply.
 * @throws HeadwayError `unsupported-media-type`, `invalid-request`
 */
export const jsonBody = (limit: number | string): RequestHandler[] => [
  requireJson,
  (req, _res, next) => {
    // JSON that the application's own parser has read is as good as ours; text and bytes are not.
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

/** Level by level, so that no depth is too much for it. */
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
