import type { Request, RequestHandler } from 'express';
import type { Redis } from 'ioredis';
import { HeadwayError } from '../../shared/errors.js';
import type { Logger } from '../../shared/process/log.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { WAITING } from './frames.js';
import { endStream, type SinkEvents, type StreamSink } from './handshake.js';
import { PendingStream } from './pending-stream.js';

/** How often the streams that wait are tried again, in ms. */
const RETRY_MS = 500;
/** How many of them are tried at once. */
const AT_ONCE = 50;
/** How many may wait at a time in a process. */
const MOST_WAITING = 10_000;
/** A viewer that may not wait comes back after this long, in ms, and up to as long again, so that they do not come together. */
const LATER_MS = 3000;

/**
 * Checks what a request for a stream may see, and hands the stream to its audience. Called again while Redis is away, so
 * it changes nothing before the stream is open.
 * @throws HeadwayError when the request is refused
 */
export type Admit = (req: Request, stream: PendingStream) => Promise<void>;

export interface StreamDoorOptions {
  redis: Redis;
  heartbeatMs: number;
  /** How many streams may wait at a time; more are told to come back later. */
  mostWaiting?: number;
  log: Logger;
}

/**
 * Where all requests for streams come in. An `EventSource` never comes back after a 503. So a stream that cannot be
 * checked while Redis is away is opened without data and begins when Redis answers; one that comes while this process
 * stops is ended at once and comes back to another process. So does one that would be too many, and one for which the
 * operator's code takes too long: to ask that code again and again would make it slower.
 */
export class StreamDoor {
  private readonly waiting = new Map<StreamSink, { stream: PendingStream; admit: Admit }>();
  private timer: NodeJS.Timeout | undefined;
  private trying = false;
  private beatAt = Number.NEGATIVE_INFINITY;
  private closed = false;
  private readonly events: SinkEvents = { onDrain() {}, onClose: (sink) => this.leave(sink) };

  constructor(private readonly options: StreamDoorOptions) {
    options.redis.on('ready', () => void this.tryAll());
  }

  /** How many streams wait to be checked. */
  get count(): number {
    return this.waiting.size;
  }

  /** The handler of a route that answers with a stream. */
  handler(admit: Admit): RequestHandler {
    return async (req, res) => {
      const stream = new PendingStream(req, res);
      const isStream = req.method === 'GET' && Boolean(req.accepts('text/event-stream'));
      if (isStream && this.closed) return stream.comeBack();
      try {
        await admit(req, stream);
      } catch (error) {
        if (!isStream) throw error;
        if (this.closed) return stream.comeBack();
        if (isPassing(error)) await this.hold(stream, admit);
        else if (isUnavailable(error)) stream.comeBack(later());
        else throw error;
      }
    };
  }

  /** Ends the streams that wait, and every later request for one; the viewers reconnect, to another process. */
  close(): void {
    this.closed = true;
    for (const sink of [...this.waiting.keys()]) {
      this.leave(sink);
      endStream(sink);
    }
  }

  private get full(): boolean {
    return this.waiting.size >= (this.options.mostWaiting ?? MOST_WAITING);
  }

  private async hold(stream: PendingStream, admit: Admit): Promise<void> {
    if (this.full) return stream.comeBack(later());
    const sink = await stream.wait(this.events);
    if (!sink) return;
    // Many may have come this far in the same turn.
    if (this.closed || this.full) return endStream(sink);
    this.waiting.set(sink, { stream, admit });
    this.timer ??= setInterval(() => this.tick(), RETRY_MS);
  }

  private leave(sink: StreamSink): void {
    this.waiting.delete(sink);
    if (this.waiting.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = performance.now();
    if (now - this.beatAt >= this.options.heartbeatMs) {
      this.beatAt = now;
      // One that has not read the last of them does not need another.
      for (const sink of this.waiting.keys()) if (!sink.writableLength) sink.write(WAITING);
    }
    void this.tryAll();
  }

  private async tryAll(): Promise<void> {
    const { redis, log } = this.options;
    if (this.trying || this.waiting.size === 0 || redis.status !== 'ready') return;
    this.trying = true;
    try {
      await redis.ping();
      const all = [...this.waiting.keys()];
      for (let i = 0; i < all.length; i += AT_ONCE) {
        await Promise.all(all.slice(i, i + AT_ONCE).map((sink) => this.tryOne(sink)));
      }
    } catch (error) {
      log.debug({ err: error }, 'streams wait for Redis');
    } finally {
      this.trying = false;
    }
  }

  private async tryOne(sink: StreamSink): Promise<void> {
    const { stream, admit } = this.waiting.get(sink) ?? {};
    if (!stream || !admit) return;
    try {
      await admit(stream.req, stream);
    } catch (error) {
      if (isPassing(error) && !this.closed) return;
      if (!(error instanceof HeadwayError)) this.options.log.error({ err: error }, 'could not open a stream');
      // Its status is 200 already: the next request of this viewer is refused properly.
      stream.comeBack();
    }
    this.leave(sink);
  }
}

/** Whether the same request may be admitted soon: Redis, or where the keys of tokens are, does not answer. */
const isPassing = (error: unknown): boolean =>
  isRedisFault(error) || (isUnavailable(error) && error.cause !== undefined);

const isUnavailable = (error: unknown): error is HeadwayError =>
  error instanceof HeadwayError && error.code === 'unavailable';

const later = (): number => LATER_MS + Math.floor(Math.random() * LATER_MS);
