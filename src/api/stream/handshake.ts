import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Sink } from '../../shared/channel/subscription.js';
import { boundUnsent } from './socket-bound.js';

/** What a stream is sent over, once the handshake is done. */
export interface StreamSink extends Sink {
  readonly destroyed: boolean;
  destroy(): void;
}

/** The viewer has gone, or its socket takes bytes again. */
export interface SinkEvents {
  onDrain(sink: StreamSink): void;
  onClose(sink: StreamSink): void;
}

/** A stream that was ended is closed by force when the viewer has not closed its side after this long, in ms. */
const END_GRACE_MS = 2000;

const events = Symbol('sink events');
type OwnSink = StreamSink & { [events]?: SinkEvents };

/** The headers of every event stream, beside those that the response has already. */
export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

/**
 * Answers a request with the head of an event stream (WHATWG HTML §9.2) and takes its socket out of Node's HTTP
 * server: from here on the stream is a socket and nothing else. The body is delimited by the end of the
 * connection (RFC 9112, section 6.3), so a frame goes out as the bytes it is, without a chunk around it.
 *
 * A request that was pipelined behind another one is answered after that one. The requests behind a stream are never
 * answered on its connection (RFC 9112, section 9.6), so the promise of a stream among them stays pending.
 *
 * Where the socket is not plain HTTP/1 (TLS, HTTP/2, a test double), the response itself is the sink.
 * @param res its headers (CORS and such) are sent along
 * @param head first bytes of the body
 * @returns `undefined` when the viewer has gone
 */
export async function openStream(
  req: IncomingMessage,
  res: ServerResponse,
  head: string,
  on: SinkEvents,
): Promise<StreamSink | undefined> {
  for (const [name, value] of Object.entries(STREAM_HEADERS)) res.setHeader(name, value);
  const plain = req.socket.constructor === Socket && req.httpVersionMajor === 1 && canRelease(parserOf(req));
  if (plain) {
    res.setHeader('Connection', 'close');
    res.removeHeader('Transfer-Encoding');
  }
  res.writeHead(200);
  // A response has no socket while an earlier request of the same connection is unanswered.
  if (res.socket || req.httpVersionMajor !== 1) res.write(head);
  else await new Promise((resolve) => res.write(head, resolve));
  const parser = parserOf(req);
  let sink: OwnSink;
  if (plain && canRelease(parser)) {
    sink = release(req, res, parser);
  } else {
    sink = res;
    res.on('drain', onDrain);
    res.on('close', onClose);
  }
  if (sink.destroyed || req.socket.destroyed) return undefined;
  boundUnsent(req.socket);
  handOver(sink, on);
  return sink;
}

/** Changes who is told about a stream. */
export function handOver(sink: StreamSink, on: SinkEvents): void {
  (sink as OwnSink)[events] = on;
}

/** Ends a stream. A viewer that neither reads the end nor closes its side does not keep the socket. */
export function endStream(sink: StreamSink): void {
  sink.end();
  setTimeout(() => sink.destroy(), END_GRACE_MS).unref();
}

/** The parts of Node's HTTP parser that are needed to let go of one. The same from Node 20 to 24. */
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

/** Does what Node does for an upgraded connection: forgets the parser, the request and the response. */
function release(req: IncomingMessage, res: ServerResponse, parser: Parser): Socket {
  const { socket } = req;
  res.detachSocket(socket);
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
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
  // One function for all sockets: nothing is made per viewer.
  socket.on('drain', onDrain);
  socket.on('close', onClose);
  socket.on('error', onError);
  // What the client still sends is thrown away; its end ends the stream.
  socket.on('end', onEnd);
  socket.resume();
  return socket;
}

/** Aborts a later request of the same connection whose body is still coming: nobody reads the rest of it. */
function abandon(incoming: IncomingMessage | null, req: IncomingMessage): void {
  if (!incoming || incoming === req || incoming.complete) return;
  // Aborting a request destroys its socket, which belongs to the stream now.
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
}

function onEnd(this: Socket): void {
  this.destroy();
}

/** A broken connection is an ordinary end; 'close' follows. */
function onError(): void {}
