import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Subscriber } from '../../shared/channel/subscriber.js';
import { LIVE, STALLED, type Subscription } from '../../shared/channel/subscription.js';
import type { Logger } from '../../shared/log.js';
import { redactUrl } from '../request-log.js';
import { openStream, type SinkEvents, type StreamSink } from './handshake.js';

const HEARTBEAT = Buffer.from(': \n\n');
/** The heartbeats of all viewers are spread over this many ticks, so that no tick is long. */
const TICKS = 16;

export interface ViewersOptions {
  subscriber: Subscriber;
  heartbeatMs: number;
  /** A viewer that took nothing for this long is dropped, in ms. */
  stallTimeoutMs: number;
  log: Logger;
}

/**
 * The viewers of this process: everybody who holds an event stream. One timer serves all of them.
 */
export class Viewers {
  private readonly bySink = new Map<StreamSink, Subscription>();
  private readonly timer: NodeJS.Timeout;
  private tick = 0;
  private readonly events: SinkEvents = {
    onDrain: (sink) => this.bySink.get(sink)?.resume(),
    onClose: (sink) => {
      this.bySink.get(sink)?.close();
      this.bySink.delete(sink);
    },
  };

  constructor(private readonly options: ViewersOptions) {
    this.timer = setInterval(() => this.beat(), options.heartbeatMs / TICKS);
    this.timer.unref();
  }

  get count(): number {
    return this.bySink.size;
  }

  /** Answers a request with the stream of a channel. The request and its response are not to be used afterwards. */
  open(req: IncomingMessage, res: ServerResponse, channel: string, lastEventId: string | undefined): void {
    const sink = openStream(req, res, 'retry: 2000\n\n', this.events);
    if (sink.destroyed) return;
    const subscription = this.options.subscriber.subscribe(channel, sink, { lastEventId });
    this.bySink.set(sink, subscription);
    this.options.log.debug({ url: redactUrl(req.url ?? ''), channel }, 'stream opened');
  }

  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void {
    clearInterval(this.timer);
    for (const [sink, subscription] of this.bySink) {
      subscription.close();
      sink.end();
    }
    this.bySink.clear();
  }

  private beat(): void {
    const droppable = Date.now() - this.options.stallTimeoutMs;
    const turn = this.tick++ % TICKS;
    let index = 0;
    for (const [sink, subscription] of this.bySink) {
      if (subscription.state === STALLED) {
        if (subscription.stalledAt < droppable) sink.destroy();
      } else if (index % TICKS === turn && subscription.state === LIVE) {
        subscription.hold(sink.write(HEARTBEAT));
      }
      index++;
    }
  }
}
