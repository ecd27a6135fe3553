import type { Request, RequestHandler } from 'express';
import { writeTo } from '../../shared/channel/subscription.js';
import { HeadwayError } from '../../shared/errors.js';
import { singleFlight } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import { pingAll, type RedisClient } from '../../shared/redis/client.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { type Overload, overloaded } from '../http/overload.js';
import { logOf } from '../http/request-entry.js';
import type { StreamAdmission } from './admission.js';
import { WAITING } from './frames.js';
import type { SinkEvents, StreamSink } from './handshake.js';
import { lastEventIdOf, PendingStream } from './pending-stream.js';
import { pollRequestOf } from './poll-request.js';
import { dismissStream, endInWaves, leavingRetryMs, type Waves } from './waves.js';

/** How often waiting streams are tried again, in ms. */
const RETRY_MS = 500;
/** Maximum number of streams that are tried at once. */
const AT_ONCE = 50;
/** Maximum number of streams that wait in a process. */
const MAX_WAITING = 10_000;
/** Minimum delay until a viewer that cannot wait reconnects, in ms. A random delay of up to the same length is added. */
const RECONNECT_MS = 3000;

/**
 * Checks a request for a stream, and opens the stream for its viewer. Called again while Redis does not answer, so it must
 * not change anything before the stream is open.
 * @throws HeadwayError when the request is refused
 */
export type Admit = (req: Request, stream: PendingStream) => Promise<void>;

export interface StreamDoorOptions {
  redis: RedisClient;
  heartbeatMs: number;
  /** Whether the process refuses new streams. By default, it never does. */
  overload?: Pick<Overload, 'streams'>;
  /** Maximum number of streams that wait; further viewers reconnect later. Defaults to 10,000. */
  maxWaiting?: number;
  /** Limits the streams. By default, they are not limited. */
  admission?: StreamAdmission;
  log: Logger;
}

/**
 * Receives all requests for streams. An `EventSource` does not reconnect after a 503, so other answers are needed:
 * - While Redis does not answer, a stream is opened without data. It begins when Redis answers.
 * - While this process stops, a stream is ended at once. The viewer reconnects to another process.
 * - While this process is overloaded, a new stream is refused with 503. A viewer that returns is told to come back later.
 * - A long poll is refused like any other request: its client reads the status.
 * - When too many streams wait, or the operator's code times out, a stream is ended at once, and the viewer reconnects
 *   later. Asking that code again would slow it down further.
 */
export class StreamDoor {
  private readonly waiting = new Map<StreamSink, { stream: PendingStream; admit: Admit }>();
  private timer: NodeJS.Timeout | undefined;
  private beatAt = Number.NEGATIVE_INFINITY;
  /** How the viewers are disconnected, once the process stops. */
  private leaving: Waves | undefined;
  private readonly events: SinkEvents = { onDrain() {}, onClose: (sink) => this.remove(sink) };
  private readonly tryAll = singleFlight(() => this.tryEach());

  constructor(private readonly options: StreamDoorOptions) {
    options.redis.on('ready', () => void this.tryAll());
  }

  /** How many streams are waiting. */
  get count(): number {
    return this.waiting.size;
  }

  /** Returns the handler of a route that answers with a stream. */
  handler(admit: Admit): RequestHandler {
    return async (req, res) => {
      const poll = pollRequestOf(req);
      const isStream = req.method === 'GET' && !poll && Boolean(req.accepts('text/event-stream'));
      const isCounted = isStream || (req.method === 'GET' && poll !== undefined);
      if (isCounted && this.options.overload?.streams) {
        // A viewer that returns is not new, and an `EventSource` does not come back after a 503.
        if (poll || lastEventIdOf(req) === undefined) throw overloaded('new streams');
        return new PendingStream(req, res).comeBack(reconnectMs());
      }
      const admitted = isCounted && !this.leaving ? this.options.admission?.accept(req, res) : undefined;
      const stream = new PendingStream(req, res, admitted, poll);
      if (isCounted && this.leaving) return stream.comeBack(leavingRetryMs(this.leaving));
      try {
        await admit(req, stream);
        await stream.answered();
      } catch (error) {
        if (!isStream) throw error;
        if (this.leaving) return stream.comeBack(leavingRetryMs(this.leaving));
        if (isTemporary(error)) await this.wait(stream, admit);
        else if (isUnavailable(error)) stream.comeBack(reconnectMs());
        else throw error;
      }
    };
  }

  /**
   * Ends the waiting streams in waves, and each one that is requested later at once. The viewers reconnect, to another process.
   * Resolves when all have been ended.
   */
  close(waves: Waves): Promise<void> {
    this.leaving = waves;
    return endInWaves([...this.waiting.keys()], waves, (sink) => this.remove(sink));
  }

  private get full(): boolean {
    return this.waiting.size >= (this.options.maxWaiting ?? MAX_WAITING);
  }

  private async wait(stream: PendingStream, admit: Admit): Promise<void> {
    if (this.full) return stream.comeBack(reconnectMs());
    const sink = await stream.wait(this.events);
    if (!sink) return;
    // Many streams may have been opened in the same turn.
    if (this.leaving || this.full) {
      return dismissStream(sink, this.leaving ?? { viewers: this.count, takenOver: false });
    }
    this.waiting.set(sink, { stream, admit });
    this.timer ??= setInterval(() => this.tick(), RETRY_MS);
  }

  private remove(sink: StreamSink): void {
    this.waiting.delete(sink);
    if (this.waiting.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = performance.now();
    if (now - this.beatAt >= this.options.heartbeatMs) {
      this.beatAt = now;
      // A viewer that has not read the previous comment does not need another one.
      for (const sink of this.waiting.keys()) if (!sink.writableLength) writeTo(sink, WAITING);
    }
    void this.tryAll();
  }

  private async tryEach(): Promise<void> {
    const { redis, log } = this.options;
    if (this.waiting.size === 0 || redis.status !== 'ready') return;
    try {
      await pingAll(redis);
      const all = [...this.waiting.keys()];
      for (let i = 0; i < all.length; i += AT_ONCE) {
        await Promise.all(all.slice(i, i + AT_ONCE).map((sink) => this.tryOne(sink)));
      }
    } catch (error) {
      log.debug({ err: error }, 'streams are waiting for Redis');
    }
  }

  private async tryOne(sink: StreamSink): Promise<void> {
    const { stream, admit } = this.waiting.get(sink) ?? {};
    if (!stream || !admit) return;
    try {
      await admit(stream.req, stream);
    } catch (error) {
      if (isTemporary(error) && !this.leaving) return;
      if (!(error instanceof HeadwayError)) {
        logOf(this.options.log, stream.req).error({ err: error }, 'could not open a stream');
      }
      // The status is already 200: the viewer's next request is refused with an error.
      stream.comeBack();
    }
    this.remove(sink);
  }
}

/** Whether the same request may succeed soon: RedisClient, or the JWKS URL, does not answer. */
const isTemporary = (error: unknown): boolean =>
  isRedisFault(error) || (isUnavailable(error) && error.cause !== undefined);

const isUnavailable = (error: unknown): error is HeadwayError =>
  error instanceof HeadwayError && error.code === 'unavailable';

const reconnectMs = (): number => RECONNECT_MS + Math.floor(Math.random() * RECONNECT_MS);
