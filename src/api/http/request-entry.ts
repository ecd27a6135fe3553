import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Logger } from '../../shared/process/log.js';

/** What is known of a request, for the logs. The parts of the API that learn something about it add it. */
export interface RequestEntry {
  /** The id of the request. It is stored with the job that the request starts. */
  id: string;
  /** The principal that sends it, or `job:<id>` for the bearer of a job's token. */
  caller?: string;
  /** The job that it concerns. */
  jobId?: string;
  /** What an audited request changes, if the path does not say it. */
  target?: string;
  /** The code of the problem with which it is answered. */
  code?: string;
}

const entries = new WeakMap<IncomingMessage, RequestEntry>();

/** The form of an id that is taken from a caller. It cannot break a line, a header or a query. */
const ID = /^[\w.:/+=@-]{1,100}$/;
/** `traceparent` (W3C Trace Context, section 3.2). */
const TRACE = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-|$)/;

/** Begins the entry of a request, with the caller's id of the request if it sends a valid one. */
export function beginEntry(req: IncomingMessage): RequestEntry {
  const given = req.headers['x-request-id'];
  const { traceparent } = req.headers;
  const entry: RequestEntry = {
    id:
      (typeof given === 'string' && ID.test(given) ? given : undefined) ??
      (typeof traceparent === 'string' ? TRACE.exec(traceparent)?.[1] : undefined) ??
      randomUUID(),
  };
  entries.set(req, entry);
  return entry;
}

/** Adds to the entry of a request. Does nothing for a request without one. */
export function noteInEntry(req: IncomingMessage, known: Omit<RequestEntry, 'id'>): void {
  const entry = entries.get(req);
  if (entry) Object.assign(entry, known);
}

/** Returns the id of a request; `undefined` for a request that is not logged, such as a health check. */
export const requestIdOf = (req: IncomingMessage): string | undefined => entries.get(req)?.id;

export const entryOf = (req: IncomingMessage): RequestEntry | undefined => entries.get(req);

/** Returns a logger whose lines have the id of a request. */
export const logOf = (log: Logger, req: IncomingMessage): Logger => {
  const requestId = requestIdOf(req);
  return requestId === undefined ? log : log.child({ requestId });
};
