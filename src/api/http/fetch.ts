import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as send,
} from 'node:http';
import { type Duplex, duplexPair, Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Request as ExpressRequest } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { withoutBasePath } from './base-path.js';
import type { Handler } from './embed.js';

export interface FetchOptions {
  /** The path before `/v1` in the URL of the request, such as `/api/headway`. Links and cookies have it too. */
  basePath?: string | undefined;
  /**
   * The IP address of the caller, from the framework. A `Request` does not have one. Without it, all anonymous callers count
   * as one for limits, unless `TRUST_PROXY` is set and the request has `X-Forwarded-For`.
   */
  address?: string | undefined;
}

/** Answers a `Request` of the Fetch API with a `Response`. */
export type FetchHandler = (request: Request, options?: FetchOptions) => Promise<Response>;

/** Headers that belong to one connection, and are not passed on (RFC 9110, section 7.6.1). `Expect` was answered already. */
const OF_CONNECTION = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Statuses whose response has no body (Fetch, section 2.2.3). */
const WITHOUT_BODY = new Set([204, 205, 304]);

/**
 * Returns a function that answers requests of the Fetch API by a handler of Node's HTTP server. Each request is sent over a
 * connection in memory, so that parsing, back-pressure, uploads and clients that leave are those of Node.
 */
export function fetchHandler(handle: Handler): FetchHandler {
  const basePaths = new WeakMap<object, string>();
  const server = createServer((req, res) => {
    const basePath = basePaths.get(req.socket) ?? '';
    const url = req.url ?? '';
    // As Express does for a router that is mounted at a path.
    Object.assign(req as ExpressRequest, { baseUrl: basePath, originalUrl: url });
    req.url = withoutBasePath(url, basePath);
    handle(req, res, (error) => {
      const code = error === undefined ? 'not-found' : 'internal';
      const problem = new HeadwayError(code, `Headway has nothing at ${url.slice(0, 200)}.`);
      res.writeHead(problem.status, { 'Content-Type': 'application/problem+json' });
      res.end(JSON.stringify(problem.toProblem(url)));
    });
  });

  return async (request, { basePath = '', address } = {}) => {
    const { signal } = request;
    signal.throwIfAborted();
    if (request.bodyUsed) {
      throw new TypeError(
        'The body of the request has been read. Call headway.fetch before anything reads it.',
      );
    }
    const url = new URL(request.url);
    const [near, far] = connection();
    basePaths.set(far, basePath.replace(/\/+$/, ''));
    // Express reads both: for limits, and for cookies that are sent over TLS only.
    Object.assign(far, { remoteAddress: address, encrypted: url.protocol === 'https:' });
    server.emit('connection', far);
    const outgoing = send({
      createConnection: () => near,
      method: request.method,
      path: url.pathname + url.search,
      headers: headersOf(request, url),
    });
    const leave = (): void => void outgoing.destroy(signal.reason);
    signal.addEventListener('abort', leave);
    near.once('close', () => signal.removeEventListener('abort', leave));
    return new Promise((resolve, reject) => {
      outgoing.on('response', (incoming) => {
        incoming.once('close', () => near.destroy());
        resolve(responseOf(incoming, request.method));
      });
      // After the response, its body ends with the same error.
      outgoing.on('error', reject);
      sendBody(request, outgoing);
    });
  };
}

/** Returns the two ends of a connection in memory. When one is destroyed, so is the other. */
function connection(): [Duplex, Duplex] {
  const [near, far] = duplexPair();
  near.once('close', () => far.destroy());
  far.once('close', () => near.destroy());
  // 'close' follows, and is what counts.
  for (const end of [near, far]) end.on('error', () => {});
  return [near, far];
}

function headersOf({ headers, body }: Request, url: URL): OutgoingHttpHeaders {
  const sent: OutgoingHttpHeaders = { host: url.host };
  for (const [name, value] of headers) {
    if (!OF_CONNECTION.has(name) && (name !== 'content-length' || body)) sent[name] = value;
  }
  return sent;
}

/** Sends the body as fast as it is read. If the response comes before its end, the rest is not needed. */
function sendBody({ body }: Request, outgoing: ClientRequest): void {
  if (!body) return void outgoing.end();
  const source = Readable.fromWeb(body as NodeReadableStream<Uint8Array>);
  // The client has left in the middle of its request.
  source.on('error', (error) => outgoing.destroy(error));
  outgoing.once('close', () => source.destroy());
  source.pipe(outgoing);
}

function responseOf(incoming: IncomingMessage, method: string): Response {
  const { statusCode: status = 500, statusMessage: statusText = '', rawHeaders } = incoming;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name = '', value = ''] = rawHeaders.slice(i, i + 2);
    if (!OF_CONNECTION.has(name.toLowerCase())) headers.append(name, value);
  }
  const isEmpty = method === 'HEAD' || WITHOUT_BODY.has(status);
  if (isEmpty) incoming.resume();
  return new Response(isEmpty ? null : bodyOf(incoming), { status, statusText, headers });
}

/** Returns a body that passes on each chunk at once, and takes the next one when it is asked for. */
function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        incoming.on('data', (chunk: Buffer) => {
          controller.enqueue(chunk);
          incoming.pause();
        });
        incoming.on('end', () => controller.close());
        incoming.on('error', (error) => controller.error(error));
        incoming.pause();
      },
      pull: () => void incoming.resume(),
      cancel: () => void incoming.destroy(),
    },
    { highWaterMark: 0 },
  );
}
