import type { IncomingMessage } from 'node:http';
import { HeadwayError } from '../../shared/errors.js';

/**
 * Checks that the body of a request is still there to be read.
 * @throws HeadwayError `internal` where the application that Headway is a part of has read it
 */
export function requireUnread(req: IncomingMessage): void {
  if (!req.readableDidRead) return;
  throw new HeadwayError(
    'internal',
    'Another part of this application read the body of the request before Headway did. Use headway.router before body parsers such as express.json(), express.raw(), express.text() or multer.',
  );
}
