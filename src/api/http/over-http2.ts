import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2';
import express, { type Express } from 'express';

type Handle = (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void;

/** Returns the HTTP/2 stream of a response; `undefined` over HTTP/1. */
export const http2StreamOf = (res: ServerResponse): ServerHttp2Stream | undefined =>
  (res as { stream?: ServerHttp2Stream }).stream;

/**
 * Returns a handler that passes requests of HTTP/1 and of HTTP/2 (Node's compatibility API) to an Express application. Express
 * gives every request its own prototype, which inherits from that of HTTP/1, where the properties of an HTTP/2 request are
 * missing. A second face of the same application, made for the first such request, has the prototypes for HTTP/2.
 */
export function forBothVersions(app: Express): Handle {
  const overHttp1 = app as unknown as Handle;
  let face: Express | undefined;
  return (req, res, next) => {
    if (req.httpVersionMajor < 2) return overHttp1(req, res, next);
    adapt(req as unknown as Http2ServerRequest);
    face ??= createFace(app, req, res);
    const { handle } = face as unknown as { handle: Handle };
    handle.call(face, req, res, next);
  };
}

/** @param req and `res` have the prototypes of Node */
function createFace(app: Express, req: IncomingMessage, res: ServerResponse): Express {
  const face = Object.create(app) as Express;
  face.request = inheriting(req, express.request, { app: face }, completeness);
  face.response = inheriting(res, express.response, { app: face });
  return face;
}

/** Returns a prototype that inherits from that of an object and has the properties of others. Later ones take precedence. */
const inheriting = (from: object, ...others: object[]) =>
  Object.create(
    Object.getPrototypeOf(from),
    Object.assign({}, ...others.map((other) => Object.getOwnPropertyDescriptors(other))),
  );

/** Node takes an aborted request for a complete one. Over HTTP/1, it does not. */
const completeness = {
  get complete(): boolean {
    const { aborted, stream } = this as unknown as Http2ServerRequest;
    return !aborted && (stream.endAfterHeaders || stream.readableEnded);
  },
};

/** Gives a request what middleware looks for in one over HTTP/1. */
function adapt(req: Http2ServerRequest): void {
  const { headers, stream } = req;
  // It replaces the header, which must not contradict it (RFC 9113, section 8.3.1).
  if (headers[':authority'] !== undefined) headers.host = headers[':authority'];
  // A body of unknown length. HTTP/2 itself has no such header, and Node refuses requests with one.
  if (!stream.endAfterHeaders && headers['content-length'] === undefined) {
    headers['transfer-encoding'] = 'chunked';
  }
  // Otherwise the body would end like a complete one.
  req.once('aborted', () => req.destroy(req.listenerCount('error') > 0 ? new Error('aborted') : undefined));
}

/**
 * Asks the client not to send further requests on the connection of a response. Over HTTP/2, it gets a GOAWAY, and the streams
 * that are open go on.
 */
export function closeConnectionAfter(res: ServerResponse): void {
  const stream = http2StreamOf(res);
  if (stream) stream.session?.close();
  else res.setHeader('Connection', 'close');
}
