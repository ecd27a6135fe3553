import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { Socket } from 'node:net';
import type { Sink } from '../../shared/channel/subscription.js';
import { streamBytes } from '../../shared/metrics/stream-metrics.js';
import { noteStream, type StreamEnd } from '../exchange/exchange.js';
import { http2StreamOf } from '../http/over-http2.js';
import { boundUnsent } from './socket-bound.js';

/** The sink of an open stream: a socket, a stream of HTTP/2, or a response. */
export interface StreamSink extends Sink {
  readonly destroyed: boolean;
  destroy(): void;
}

/** Called when the sink takes bytes again, and when the viewer has disconnected. */
export interface SinkEvents {
  onDrain(sink: StreamSink): void;
  onClose(sink: StreamSink): void;
}

/** How long a viewer has to close its side of an ended stream before the socket is destroyed, in ms. */
const END_GRACE_MS = 2000;

const events = Symbol('sink events');
const record = Symbol('record');
type OwnSink = StreamSink & { [events]?: SinkEvents; [record]?: StreamRecord };

/** What is kept of a stream until its end. */
interface StreamRecord {
  end(end: StreamEnd): void;
  reason?: EndReason;
  events: number;
}

/** Why the service ends a stream. Otherwise it has `completed`, or its viewer has disconnected. */
export type EndReason = 'expired' | 'revoked' | 'stalled' | 'stopping' | 'ended';

/** The headers of every event stream. */
export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

/**
 * Answers a request with the head of an event stream (WHATWG HTML, section 9.2), and detaches the socket from Node's HTTP
 * server. The body is delimited by the end of the connection (RFC 9112, section 6.3), so frames are written to the socket
 * unchanged, without chunked encoding.
 *
 * A pipelined request is answered after the request before it. Requests after a stream are never answered on its
 * connection (RFC 9112, section 9.6), so the promise of a stream among them stays pending.
 *
 * Over HTTP/2, frames are written to the stream of the request. If the connection is neither (TLS with HTTP/1, a test double),
 * the response itself is the sink.
 * @param res its headers (such as those of CORS) are sent as well
 * @param head the first bytes of the body
 * @returns `undefined` when the viewer has disconnected
 */
export async function openStream(
  req: IncomingMessage,
  res: ServerResponse,
  head: string,
  on: SinkEvents,
): Promise<StreamSink | undefined> {
  const http2 = http2StreamOf(res);
  if (http2?.closed) return undefined;
  for (const [name, value] of Object.entries(STREAM_HEADERS)) res.setHeader(name, value);
  if (http2) return started(req, res, openHttp2(req, res, http2, head), head, on);
  const plain = req.socket.constructor === Socket && req.httpVersionMajor === 1 && canRelease(parserOf(req));
  if (plain) {
    res.setHeader('Connection', 'close');
    res.removeHeader('Transfer-Encoding');
  }
  res.writeHead(200);
  // A response has no socket while an earlier request on the same connection is unanswered.
  if (res.socket || req.httpVersionMajor !== 1) res.write(head);
  else await new Promise((resolve) => res.write(head, resolve));
  const parser = parserOf(req);
  if (plain && canRelease(parser)) return started(req, res, release(req, res, parser), head, on);
  res.on('drain', onDrain);
  res.on('close', onClose);
  return started(req, res, res, head, on);
}

/** Prepares the sink of a stream whose head has been sent. */
function started(
  req: IncomingMessage,
  res: ServerResponse,
  sink: OwnSink,
  head: string,
  on: SinkEvents,
): StreamSink | undefined {
  sink[record] = { end: noteStream(res, sink !== res), events: 0 };
  if (sink.destroyed || req.socket.destroyed) return undefined;
  streamBytes.only.value += Buffer.byteLength(head);
  boundUnsent(req.socket);
  handOver(sink, on);
  return sink;
}

/** Replaces the handlers of a stream's events. */
export function handOver(sink: StreamSink, on: SinkEvents): void {
  (sink as OwnSink)[events] = on;
}

/** Records why a stream is about to end. The first reason counts. */
export function noteEnd(sink: StreamSink, reason: EndReason): void {
  const own = (sink as OwnSink)[record];
  if (own) own.reason ??= reason;
}

/** Adds to the number of events that a stream has sent. */
export function noteEvents(sink: StreamSink, events: number): void {
  const own = (sink as OwnSink)[record];
  if (own) own.events += events;
}

/** Ends a stream. The socket is destroyed if the viewer does not close its side. */
export function endStream(sink: StreamSink): void {
  noteEnd(sink, 'ended');
  sink.end();
  setTimeout(() => sink.destroy(), END_GRACE_MS).unref();
}

/** The parts of Node's HTTP parser that are needed to detach it. They are the same in Node 20 to 24. */
interface Parser {
  incoming: IncomingMessage | null;
  outgoing: unknown;
  socket: unknown;
  onIncoming: unknown;
  unconsume(): void;
  remove(): void;
  close(): void;
}

const parserOf = (req: IncomingMessage): Parser | null | undefined =>
  (req.socket as { parser?: Parser | null }).parser;

function canRelease(parser: Parser | null | undefined): parser is Parser {
  return (
    parser != null && [parser.unconsume, parser.remove, parser.close].every((f) => typeof f === 'function')
  );
}

/** The name of the listener with which Node's HTTP server frees the parser. */
const NODES_CLOSE = 'bound socketOnClose';

/** Detaches the parser, the request and the response from a socket, as Node does for an upgraded connection. */
function release(req: IncomingMessage, res: ServerResponse, parser: Parser): Socket {
  const { socket } = req;
  res.detachSocket(socket);
  for (const event of ['data', 'end', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  // Others stay: libraries that stop a server count its connections by this event.
  for (const listener of socket.listeners('close') as Array<() => void>) {
    if (listener.name === NODES_CLOSE) socket.off('close', listener);
  }
  abandon(parser.incoming, req);
  parser.unconsume();
  parser.remove();
  parser.incoming = parser.outgoing = parser.socket = parser.onIncoming = null;
  (socket as { parser?: unknown }).parser = null;
  (req as { parser?: unknown }).parser = null;
  setImmediate(closeParser, parser);

  socket.setTimeout(0);
  socket.setNoDelay(true);
  // All sockets share these functions, so that a viewer costs no closures.
  socket.on('drain', onDrain);
  socket.on('close', onClose);
  socket.on('error', onError);
  // Data from the client is discarded. When the client ends, the stream ends.
  socket.on('end', onEnd);
  socket.resume();
  return socket;
}

/**
 * Sends the head, and releases the request and the response. The response is not used to send it: it would wait for trailers when
 * the stream ends.
 */
function openHttp2(
  req: IncomingMessage,
  res: ServerResponse,
  stream: ServerHttp2Stream,
  head: string,
): ServerHttp2Stream {
  stream.respond({ ...res.getHeaders(), ':status': 200 });
  stream.write(head);
  // Node's compatibility API keeps both on the stream, and ignores its events without them.
  const own = stream as unknown as Record<symbol, unknown>;
  for (const key of Object.getOwnPropertySymbols(stream)) {
    if (own[key] === req || own[key] === res) own[key] = undefined;
  }
  stream.on('drain', onDrain);
  stream.on('close', onClose);
  stream.on('error', onError);
  // Otherwise the stream would keep what its client has not taken.
  stream.on('aborted', onEnd);
  return stream;
}

/** Aborts a later request on the same connection whose body is incomplete, because the rest is never read. */
function abandon(incoming: IncomingMessage | null, req: IncomingMessage): void {
  if (!incoming || incoming === req || incoming.complete) return;
  // Destroying a request destroys its socket, which now belongs to the stream.
  incoming.socket = new Socket();
  incoming.on('error', onError);
  incoming.destroy();
}

const closeParser = (parser: Parser): void => parser.close();

function onDrain(this: OwnSink): void {
  this[events]?.onDrain(this);
}

function onClose(this: OwnSink): void {
  this[events]?.onClose(this);
  const own = this[record];
  if (!own) return;
  // Node ends a stream of HTTP/2 that its client has reset.
  const { writableEnded, aborted } = this as unknown as { writableEnded: boolean; aborted?: boolean };
  const isCompleted = writableEnded && !aborted;
  own.end({ reason: own.reason ?? (isCompleted ? 'completed' : 'disconnected'), events: own.events });
}

function onEnd(this: StreamSink): void {
  this.destroy();
}

/** A broken connection is a normal end: 'close' follows. */
function onError(): void {}
