import type { Request, Response } from 'express';
import type { Subscriber } from '../../shared/channel/subscriber.js';
import { LIVE, STALLED, type SubscriptionState } from '../../shared/channel/subscription.js';
import type { Logger } from '../../shared/log.js';
import { redactUrl } from '../request-log.js';
import { Bundle, type BundledChannel } from './bundle.js';
import { openStream, type SinkEvents, type StreamSink } from './handshake.js';
import { answerHead, lastEventIdOf } from './request.js';

const HEARTBEAT = Buffer.from(': \n\n');
/** The last event of a viewer whose token is no longer valid. */
const EXPIRED = Buffer.from('event: unauthorized\ndata: {"reason":"expired"}\n\n');
/** The heartbeats of all viewers are spread over this many ticks, so that no tick is long. */
const TICKS = 16;

export interface ViewersOptions {
  subscriber: Subscriber;
  heartbeatMs: number;
  /** A viewer that took nothing for this long is dropped, in ms. */
  stallTimeoutMs: number;
  log: Logger;
}

/** What one viewer follows: a subscription, or several in a bundle. */
interface Following {
  readonly state: SubscriptionState;
  readonly stalledAt: number;
  hold(more: boolean): void;
  resume(): void;
  close(): void;
}

/**
 * The viewers of this process: everybody who holds an event stream. One timer serves all of them.
 */
export class Viewers {
  private readonly bySink = new Map<StreamSink, Following>();
  /** Until when those may stay whose permission ends some time, ms since 1970. */
  private readonly deadlines = new Map<StreamSink, number>();
  private readonly timer: NodeJS.Timeout;
  private tick = 0;
  private readonly events: SinkEvents = {
    onDrain: (sink) => this.bySink.get(sink)?.resume(),
    onClose: (sink) => {
      this.bySink.get(sink)?.close();
      this.bySink.delete(sink);
      this.deadlines.delete(sink);
    },
  };

  constructor(private readonly options: ViewersOptions) {
    this.timer = setInterval(() => this.beat(), options.heartbeatMs / TICKS);
    this.timer.unref();
  }

  get count(): number {
    return this.bySink.size;
  }

  /**
   * Answers a request with the stream of one channel or several. The request and its response are not to be used
   * afterwards. A viewer that has seen the end of all of them gets 204, which by the standard stops a browser from
   * reconnecting.
   * @param until when the viewer's permission ends, ms since 1970
   */
  answer(req: Request, res: Response, channels: BundledChannel[], until?: number): void {
    if (channels.every(({ over }) => over)) res.status(204).end();
    else if (req.method === 'HEAD') answerHead(res);
    else this.open(req, res, channels, until);
  }

  private open(req: Request, res: Response, channels: BundledChannel[], until: number | undefined): void {
    const lastEventId = lastEventIdOf(req);
    const sink = openStream(req, res, 'retry: 2000\n\n', this.events);
    if (sink.destroyed) return;
    const { subscriber, log } = this.options;
    const [{ name, after }, ...others] = channels as [BundledChannel, ...BundledChannel[]];
    const following =
      others.length > 0
        ? new Bundle(subscriber, channels, sink, lastEventId)
        : subscriber.subscribe(name, sink, { lastEventId, after });
    this.bySink.set(sink, following);
    if (until !== undefined) this.deadlines.set(sink, until);
    log.debug({ url: redactUrl(req.url ?? ''), channels: channels.length }, 'stream opened');
  }

  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void {
    clearInterval(this.timer);
    for (const [sink, following] of this.bySink) {
      following.close();
      sink.end();
    }
    this.bySink.clear();
    this.deadlines.clear();
  }

  /** Ends the streams of those whose permission has ended, with an event that says so. */
  private endOverdue(): void {
    const now = Date.now();
    for (const [sink, until] of this.deadlines) {
      if (until > now) continue;
      sink.write(EXPIRED);
      sink.end();
      this.events.onClose(sink);
    }
  }

  private beat(): void {
    this.endOverdue();
    const droppable = Date.now() - this.options.stallTimeoutMs;
    const turn = this.tick++ % TICKS;
    let index = 0;
    for (const [sink, following] of this.bySink) {
      if (following.state === STALLED) {
        if (following.stalledAt < droppable) sink.destroy();
      } else if (index % TICKS === turn && following.state === LIVE) {
        following.hold(sink.write(HEARTBEAT));
      }
      index++;
    }
  }
}
