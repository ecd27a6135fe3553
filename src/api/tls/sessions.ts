import type { IncomingMessage } from 'node:http';
import {
  constants,
  type Http2ServerRequest,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { SLOW_CLIENTS } from '../http/listen.js';
import { isExemptFromRequestTimeout } from '../http/request-timeout.js';

const { NGHTTP2_CANCEL } = constants;

/** How long clients may take, in ms. */
export interface SessionTimes {
  /** Until the first request of a connection. */
  headersTimeout: number;
  /** For a request with its body. */
  requestTimeout: number;
  /** Without anything sent or received. Browsers use a connection again for the next request. */
  idleTimeout: number;
}

const SESSION_TIMES: SessionTimes = { ...SLOW_CLIENTS, idleTimeout: 60_000 };

/** How long a client has to close its side of a connection that has ended, in ms. */
const END_GRACE_MS = 2000;
/** Bytes of uploads that a connection may have under way. The default of 64 KiB allows one megabyte per second at 60 ms. */
const UPLOAD_WINDOW = 2 * 1024 * 1024;

/** The HTTP/2 connections of a server. */
export class Http2Sessions {
  private readonly open = new Set<ServerHttp2Session>();
  /** Whether new connections are refused: the process stops. */
  private leaving = false;
  private streams = 0;

  constructor(private readonly times: SessionTimes = SESSION_TIMES) {}

  /** Counts a new connection, and ends it when it is idle. */
  add(session: ServerHttp2Session, socket: TLSSocket): void {
    let streams = 0;
    const onStreamClose = (): void => {
      streams--;
      this.streams--;
    };
    // A client that does not read keeps an ended session waiting. Streams have limits of their own.
    const destroy = (): void => {
      if (streams > 0) return wait();
      session.destroy();
      socket.destroy();
    };
    const wait = (): void => void setTimeout(destroy, END_GRACE_MS).unref();
    const end = (): void => {
      session.close();
      wait();
    };
    this.open.add(session);
    session.once('close', () => this.open.delete(session));
    session.setLocalWindowSize(UPLOAD_WINDOW);
    session.setTimeout(this.times.headersTimeout, end);
    session.once('stream', () => session.setTimeout(this.times.idleTimeout));
    session.on('stream', (stream) => {
      streams++;
      this.streams++;
      stream.once('close', onStreamClose);
      stream.once('end', destroyIfReset);
    });
    if (this.leaving) end();
  }

  /** How many connections there are, and streams in all of them. */
  get count(): { sessions: number; streams: number } {
    return { sessions: this.open.size, streams: this.streams };
  }

  /** Asks clients not to send further requests, and ends the connections whose streams have all ended. */
  goAway(): void {
    this.leaving = true;
    for (const session of this.open) session.close();
  }

  /** Ends all connections at once. */
  destroyAll(): void {
    for (const session of this.open) session.destroy();
  }

  /** Ends a request whose body does not arrive in time, as Node does over HTTP/1. Uploads are exempt. */
  boundTime(req: Http2ServerRequest): void {
    const { stream } = req;
    if (stream.endAfterHeaders) return;
    const timer = setTimeout(() => {
      if (!isExemptFromRequestTimeout(req as unknown as IncomingMessage)) stream.close(NGHTTP2_CANCEL);
    }, this.times.requestTimeout);
    timer.unref();
    const clear = (): void => clearTimeout(timer);
    stream.once('end', clear).once('close', clear);
  }
}

/** Node keeps a stream that its client has reset without an error until all of the response is sent, which may be never. */
function destroyIfReset(this: ServerHttp2Stream): void {
  if (this.closed) setImmediate(() => this.destroy());
}
