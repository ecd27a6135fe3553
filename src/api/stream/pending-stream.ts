import type { Request, Response } from 'express';
import { writeTo } from '../../shared/channel/subscription.js';
import { HeadwayError } from '../../shared/errors.js';
import type { AdmittedStream, StreamKind } from './admission.js';
import { HEARTBEAT, WAITING } from './frames.js';
import {
  endStream,
  handOver,
  openStream,
  type SinkEvents,
  STREAM_HEADERS,
  type StreamSink,
} from './handshake.js';
import { endWithServer, noteServer } from './server-end.js';

/** How long an `EventSource` waits before it reconnects, in ms. */
const RETRY_MS = 2000;
const retry = (ms: number): string => `retry: ${ms}\n\n`;
const RETRY = retry(RETRY_MS);

/** A request for a stream whose viewer has not been admitted or refused yet. */
export class PendingStream {
  /** Present when the stream has been opened to wait. */
  private sink: StreamSink | undefined;
  /** The id of the last event that the viewer has seen. */
  readonly lastEventId: string | undefined;

  constructor(
    readonly req: Request,
    readonly res: Response,
    /** Counts the stream for the limits; absent for one that is not counted. */
    private readonly admitted?: AdmittedStream,
  ) {
    this.lastEventId = lastEventIdOf(req);
    noteServer(req.socket);
  }

  /**
   * Opens the stream to wait: it sends only `: waiting` until {@link open} is called.
   * @returns `undefined` when the viewer has disconnected
   */
  async wait(on: SinkEvents): Promise<StreamSink | undefined> {
    this.sink = await this.begin(`${RETRY}${WAITING}`, on);
    return this.sink;
  }

  /**
   * Counts the stream for its caller.
   * @throws HeadwayError `quota-exceeded` if the caller has as many as it may, `rate-limited` if it has opened too many
   */
  countFor(limit: StreamKind): void {
    this.admitted?.countFor(limit);
  }

  /**
   * Opens the stream for an admitted viewer.
   * @param head the first bytes of the body, after the reconnection time
   * @throws HeadwayError like {@link countFor}
   * @returns `undefined` when there is no viewer, because it has disconnected or the request was HEAD
   */
  async open(on: SinkEvents, head = ''): Promise<StreamSink | undefined> {
    const { sink } = this;
    if (this.req.method === 'HEAD') {
      this.res.set(STREAM_HEADERS).end();
      return undefined;
    }
    if (sink?.destroyed) return undefined;
    this.countFor('streams');
    if (!sink) return this.begin(RETRY + head, on);
    handOver(sink, on);
    writeTo(sink, head === '' ? HEARTBEAT : Buffer.from(head));
    return sink;
  }

  private async begin(head: string, on: SinkEvents): Promise<StreamSink | undefined> {
    const { socket } = this.req;
    const sink = await openStream(this.req, this.res, head, on);
    if (sink) endWithServer(socket, sink);
    return sink;
  }

  /** Answers with 204, which stops a browser from reconnecting (WHATWG HTML, section 9.2.3): nothing will follow. */
  finish(): void {
    if (this.sink) this.comeBack();
    else this.res.status(204).end();
  }

  /**
   * Ends the stream at once, in a way that makes an `EventSource` reconnect: after any status but 200 it would not (WHATWG
   * HTML, section 9.2.3). Any error is sent in answer to the next request.
   * @param retryMs when the viewer reconnects, unless the stream was already open
   */
  comeBack(retryMs = RETRY_MS): void {
    if (this.sink) return endStream(this.sink);
    this.res.writeHead(200, { ...STREAM_HEADERS, Connection: 'close' });
    this.res.end(retry(retryMs));
  }
}

/** @throws HeadwayError `not-acceptable` when the client does not accept an event stream */
export function requireStream(req: Request): void {
  if (!req.accepts('text/event-stream')) {
    throw new HeadwayError('not-acceptable', 'This is an event stream: accept text/event-stream.');
  }
}

/** The id of the last event that the viewer has seen, from the header, or from the query for clients without headers. */
export function lastEventIdOf(req: Request): string | undefined {
  const id = req.get('last-event-id') || req.query.lastEventId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
