import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Sink } from '../../shared/channel/subscription.js';

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

const events = Symbol('sink events');
type OwnSocket = Socket & { [events]?: SinkEvents };

/**
 * Answers a request with the head of an event stream (WHATWG HTML §9.2) and takes its socket out of Node's HTTP
 * server: from here on the stream is a socket and nothing else. The body is delimited by the end of the
 * connection (RFC 9112, section 6.3), so a frame goes out as the bytes it is, without a chunk around it.
 *
 * Where the socket is not plain HTTP/1 (TLS, HTTP/2, a test double), the response itself is the sink.
 * @param res its headers (CORS and such) are sent along
 * @param head first bytes of the body
 */
export function openStream(
  req: IncomingMessage,
  res: ServerResponse,
  head: string,
  on: SinkEvents,
): StreamSink {
  res.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  res.setHeader('Cache-Control', 'no-cache, no-transform');
  res.setHeader('X-Accel-Buffering', 'no');
  const parser = (req.socket as { parser?: Parser | null }).parser;
  if (req.socket.constructor === Socket && req.httpVersionMajor === 1 && canRelease(parser)) {
    res.setHeader('Connection', 'close');
    res.removeHeader('Transfer-Encoding');
    res.writeHead(200);
    res.write(head);
    return release(req, res, parser, on);
  }
  res.writeHead(200);
  res.write(head);
  res.on('drain', () => on.onDrain(res));
  res.on('close', () => on.onClose(res));
  return res;
}

/** The parts of Node's HTTP parser that are needed to let go of one. The same from Node 20 to 24. */
interface Parser {
  incoming: unknown;
  outgoing: unknown;
  socket: unknown;
  onIncoming: unknown;
  unconsume(): void;
  remove(): void;
  close(): void;
}

function canRelease(parser: Parser | null | undefined): parser is Parser {
  return (
    parser != null && [parser.unconsume, parser.remove, parser.close].every((f) => typeof f === 'function')
  );
}

/** Does what Node does for an upgraded connection: forgets the parser, the request and the response. */
function release(req: IncomingMessage, res: ServerResponse, parser: Parser, on: SinkEvents): Socket {
  const socket: OwnSocket = req.socket;
  res.detachSocket(socket);
  for (const event of ['data', 'end', 'close', 'drain', 'error', 'timeout', 'pause', 'resume']) {
    socket.removeAllListeners(event);
  }
  parser.unconsume();
  parser.remove();
  parser.incoming = parser.outgoing = parser.socket = parser.onIncoming = null;
  (socket as { parser?: unknown }).parser = null;
  (req as { parser?: unknown }).parser = null;
  setImmediate(closeParser, parser);

  socket[events] = on;
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

const closeParser = (parser: Parser): void => parser.close();

function onDrain(this: OwnSocket): void {
  this[events]?.onDrain(this);
}

function onClose(this: OwnSocket): void {
  this[events]?.onClose(this);
}

function onEnd(this: Socket): void {
  this.destroy();
}

/** A broken connection is an ordinary end; 'close' follows. */
function onError(): void {}
