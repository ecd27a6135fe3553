import type { Request } from 'express';
import { HeadwayError } from '../../shared/errors.js';

/** @throws HeadwayError `not-acceptable` for a client that cannot take a stream */
export function requireStream(req: Request): void {
  if (!req.accepts('text/event-stream')) {
    throw new HeadwayError('not-acceptable', 'This is a stream: accept text/event-stream.');
  }
}

/** The id of the last event that the viewer has seen: the header, or `?lastEventId=` for clients that cannot send it. */
export function lastEventIdOf(req: Request): string | undefined {
  const id = req.get('last-event-id') || req.query.lastEventId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
