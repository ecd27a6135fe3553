import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What became of a request. */
export interface Outcome {
  /** The status that was sent; `undefined` if the client left, or was cut off, before the answer. */
  status: number | undefined;
  how: 'request completed' | 'request errored' | 'request aborted' | 'stream opened' | 'stream ended';
  /** Why a stream ended. */
  reason?: string;
  /** How many events a stream has sent. */
  events?: number;
}

/** How a stream ended. */
export type StreamEnd = Required<Pick<Outcome, 'reason' | 'events'>>;

type Listener = (outcome: Outcome) => void;

/** Calls a listener once: when a request has been answered, when its stream is open, or when the client has left before. */
export const onAnswered = (res: ServerResponse, listener: Listener): void =>
  exchangeOf(res).answered.on(listener);

/**
 * Calls a listener once, when the HTTP server is done with a response: it was sent, its client has left, or its connection was
 * detached from it for a stream. A stream over TLS with HTTP/1 is not detached: its response is released when the stream ends.
 */
export const onReleased = (res: ServerResponse, listener: Listener): void =>
  exchangeOf(res).released.on(listener);

/** Calls a listener once: when a request has been answered, when its stream has ended, or when the client has left before. */
export const onEnded = (res: ServerResponse, listener: Listener): void => exchangeOf(res).ended.on(listener);

/**
 * Records that the stream of a request is open.
 * @param detached whether the connection, or the stream of HTTP/2, has been detached from the response. Requests that follow on the
 *   same connection of HTTP/1 are then never answered (RFC 9112, section 9.6)
 * @returns a function to call when the stream has ended. It does not keep the response in memory
 */
export function noteStream(res: ServerResponse, detached: boolean): (end: StreamEnd) => void {
  const { answered, released, ended } = exchangeOf(res).open();
  answered.pass(OPENED);
  if (detached) {
    released.pass(OPENED);
    if (isHttp1(res)) {
      const { socket } = res.req;
      untrack(socket, res);
      endAll(socket);
      socket.off('close', onConnectionClose);
    }
  }
  return (end) => ended.pass({ status: 200, how: 'stream ended', ...end });
}

const OPENED: Outcome = { status: 200, how: 'stream opened' };

/** A moment that comes once. Its listeners are called in order, and those that are added later at once. */
class Moment {
  private waiting: Listener[] | undefined = [];
  private outcome: Outcome | undefined;

  on(listener: Listener): void {
    if (this.waiting) this.waiting.push(listener);
    else listener(this.outcome as Outcome);
  }

  pass(outcome: Outcome): void {
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = undefined;
    this.outcome = outcome;
    for (const listener of waiting) listener(outcome);
  }
}

/** A request and its response. */
class Exchange {
  readonly answered = new Moment();
  readonly released = new Moment();
  readonly ended = new Moment();
  private isStream = false;

  open(): this {
    this.isStream = true;
    return this;
  }

  /** The response has closed, or cannot be sent any more. */
  close(res: ServerResponse): void {
    const outcome = outcomeOf(res);
    this.answered.pass(outcome);
    this.released.pass(outcome);
    if (!this.isStream) this.ended.pass(outcome);
  }
}

const exchange = Symbol('exchange');
const unanswered = Symbol('unanswered responses');
type Tracked = ServerResponse & { [exchange]?: Exchange };
type Connection = Socket & { [unanswered]?: Set<Tracked> | undefined };

function exchangeOf(res: Tracked): Exchange {
  const known = res[exchange];
  if (known) return known;
  const created = new Exchange();
  res[exchange] = created;
  res.once('close', onClose);
  if (isHttp1(res)) track(res.req.socket, res);
  return created;
}

/**
 * Pipelined requests share a connection. When it closes, Node emits 'close' only for the response that is being sent, and not
 * for those that wait for it.
 */
function track(socket: Connection, res: Tracked): void {
  if (!socket[unanswered]) {
    socket[unanswered] = new Set();
    socket.once('close', onConnectionClose);
  }
  socket[unanswered].add(res);
  if (socket.destroyed) endAll(socket);
}

/** Over HTTP/2, the streams of a connection are independent, and each response emits 'close'. */
const isHttp1 = (res: ServerResponse): boolean => res.req.httpVersionMajor === 1;

const untrack = (socket: Connection, res: Tracked): void => void socket[unanswered]?.delete(res);

/** Ends the exchanges of a connection on which nothing more can be answered. */
function endAll(socket: Connection): void {
  const responses = socket[unanswered] ?? [];
  socket[unanswered] = undefined;
  for (const res of responses) res[exchange]?.close(res);
}

function onClose(this: Tracked): void {
  if (isHttp1(this)) untrack(this.req.socket, this);
  this[exchange]?.close(this);
}

function onConnectionClose(this: Connection): void {
  endAll(this);
}

function outcomeOf(res: ServerResponse): Outcome {
  const { headersSent, statusCode, writableEnded } = res;
  // A response that waits for an earlier one on its connection keeps everything, the head included, in memory.
  const isHeldBack = !res.socket && res.writableLength > 0;
  const isSent = writableEnded && !isHeldBack;
  return {
    status: headersSent && !isHeldBack ? statusCode : undefined,
    how: statusCode >= 500 ? 'request errored' : isSent ? 'request completed' : 'request aborted',
  };
}
