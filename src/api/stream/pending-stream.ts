import type { Request, Response } from 'express';
import { writeTo } from '../../shared/channel/subscription.js';
import { HeadwayError } from '../../shared/errors.js';
import { closeConnectionAfter } from '../http/over-http2.js';
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
import { positionsOf } from './multiplexed.js';
import { PollSink } from './poll.js';
import { sendPollAnswer } from './poll-answer.js';
import { checkPositions, type PollRequest } from './poll-request.js';
import { endWithServer, noteServer } from './server-end.js';

/** How long an `EventSource` waits before it reconnects, in ms: a random time, so that those of a process that crashes are spread. */
const RETRY_MS = { min: 1000, spread: 2000 };
const retryMs = (): number => RETRY_MS.min + Math.floor(Math.random() * RETRY_MS.spread);
const retry = (ms: number): string => `retry: ${ms}\n\n`;

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
    /** Present if the request is a long poll, which is answered at the first event. */
    private readonly poll?: PollRequest,
  ) {
    this.lastEventId = lastEventIdOf(req);
    noteServer(req.socket);
  }

  /**
   * Returns the viewer's position in each of its channels; empty for none.
   * @throws HeadwayError `invalid-request` for a poll from an unknown position
   */
  positions(channels: number): string[] {
    const positions = positionsOf(this.lastEventId, channels);
    if (this.poll && this.lastEventId !== undefined) checkPositions(this.lastEventId, positions);
    return positions;
  }

  /**
   * Refuses requests whose client does not accept the answer.
   * @throws HeadwayError `not-acceptable`
   */
  requireAccepted(): void {
    if (!this.poll) requireStream(this.req);
    else if (!this.req.accepts(['application/json', 'text/event-stream'])) {
      throw new HeadwayError(
        'not-acceptable',
        'With wait, the answer is JSON or an event stream: accept application/json or text/event-stream.',
      );
    }
  }

  /** @throws HeadwayError `invalid-request` for a poll */
  refusePoll(): void {
    if (this.poll) {
      throw new HeadwayError('invalid-request', 'wait cannot be used here: these events have no ids.');
    }
  }

  /** Resolves when a poll has been answered, at once for a stream. @throws HeadwayError if the answer is an error */
  async answered(): Promise<void> {
    if (this.sink instanceof PollSink) await this.sink.answered;
  }

  /**
   * Opens the stream to wait: it sends only `: waiting` until {@link open} is called.
   * @returns `undefined` when the viewer has disconnected
   */
  async wait(on: SinkEvents): Promise<StreamSink | undefined> {
    this.sink = await this.begin(`${retry(retryMs())}${WAITING}`, on);
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
      this.res.set(this.poll ? { 'Cache-Control': 'no-store' } : STREAM_HEADERS).end();
      return undefined;
    }
    if (sink?.destroyed) return undefined;
    this.countFor('streams');
    if (this.poll) return this.beginPoll(this.poll, on);
    if (!sink) return this.begin(retry(retryMs()) + head, on);
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

  private beginPoll(poll: PollRequest, on: SinkEvents): PollSink | undefined {
    const { req, res } = this;
    if (req.socket.destroyed) return undefined;
    const sink = new PollSink(res, poll, this.lastEventId ?? '', on);
    this.sink = sink;
    endWithServer(req.socket, sink);
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
   * @param inMs when the viewer reconnects, unless the stream was already open
   */
  comeBack(inMs = retryMs()): void {
    if (this.sink) return endStream(this.sink);
    if (this.poll) {
      const frames = Buffer.from(retry(inMs));
      return sendPollAnswer(this.res, { isJson: this.poll.isJson, frames, after: this.lastEventId ?? '' });
    }
    // The next connection may lead to another process.
    closeConnectionAfter(this.res);
    this.res.writeHead(200, STREAM_HEADERS);
    this.res.end(retry(inMs));
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
  const id = req.get('last-event-id') || req.query.after || req.query.lastEventId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}
