import type { ChannelHub } from '../../shared/channel/hub.js';
import {
  BEHIND,
  CLOSED,
  LIVE,
  STALLED,
  type SubscriptionState,
  writeTo,
} from '../../shared/channel/subscription.js';
import type { Logger } from '../../shared/process/log.js';
import type { Credential } from '../auth/credential.js';
import { logOf } from '../http/request-entry.js';
import { redactUrl } from '../http/request-log.js';
import { HEARTBEAT, WAITING } from './frames.js';
import type { StreamSink } from './handshake.js';
import { createHeartbeats, type Heartbeats } from './heartbeats.js';
import { type MultiplexedChannel, MultiplexedStream } from './multiplexed.js';
import type { PendingStream } from './pending-stream.js';
import { PollSink } from './poll.js';
import { ViewerSet, type ViewerSetOptions } from './viewer-set.js';

/** How often viewers are reminded that Redis does not answer, in ms. */
const RESEND_MS = 1000;

export interface ChannelViewersOptions extends ViewerSetOptions {
  hub: ChannelHub;
  /** Maximum time between two heartbeats, in ms. */
  heartbeatMs: number;
}

/** What one viewer follows: the subscription to a channel, or a multiplexed stream of several. */
interface Following {
  readonly state: SubscriptionState;
  readonly stalledAt: number;
  /** The tick of its next heartbeat. */
  beatDue: number;
  /** How many events were written. */
  readonly events: number;
  /** The viewer's position: the id from which it can continue. */
  readonly position: string;
  noteBackpressure(more: boolean): void;
  resume(): void;
  close(): void;
}

/** The viewers of channels in this process: of jobs, and of channels that applications publish to. */
export class ChannelViewers extends ViewerSet<Following> {
  readonly kind = 'channel';
  private readonly hub: ChannelHub;
  private readonly log: Logger;
  private readonly heartbeats: Heartbeats;
  /** The number of the current tick. */
  private ticks = 0;
  /** Ticks between two heartbeats of a viewer, and the heartbeat that announces this. */
  private ticksApart = 1;
  private heartbeat: Buffer = HEARTBEAT;
  private added = 0;
  /** The viewers that were sent `: waiting` and no heartbeat since. */
  private readonly waiting = new Set<StreamSink>();
  /** When they were last reminded, in ms of the monotonic clock. */
  private waitingSentAt = 0;

  constructor({ hub, heartbeatMs, ...options }: ChannelViewersOptions) {
    const heartbeats = createHeartbeats(heartbeatMs);
    super(options, heartbeats.tickMs);
    this.hub = hub;
    this.log = options.log;
    this.heartbeats = heartbeats;
  }

  /**
   * Answers a request with the stream of one or several channels. A viewer that has seen the end of all of them gets
   * 204, which stops a browser from reconnecting (WHATWG HTML, section 9.2.3).
   * @param credentials the basis of the viewer's permission: the stream ends when one of them expires or is revoked
   */
  async answer(
    stream: PendingStream,
    channels: MultiplexedChannel[],
    credentials: Credential[],
  ): Promise<void> {
    if (!this.leaving && channels.every(({ over }) => over)) return stream.finish();
    // Until the first heartbeat, a viewer would not know that a silent connection is dead.
    const first = this.heartbeats.frame(this.heartbeats.ticksApart(this.count + 1) + 1).toString();
    const added = await this.add(stream, credentials, first, (sink) => {
      const following = this.follow(channels, sink, stream.lastEventId);
      // Spreads the heartbeats of viewers that connected at the same moment.
      const spread = this.added++ % this.heartbeats.ticksApart(this.count + 1);
      following.beatDue = this.ticks + 1 + spread;
      if (sink instanceof PollSink) {
        following.beatDue = Number.POSITIVE_INFINITY;
        sink.follow(following);
      }
      return following;
    });
    if (!added || !this.log.isLevelEnabled('debug')) return;
    logOf(this.log, stream.req).debug(
      { url: redactUrl(stream.req.originalUrl), channels: channels.length },
      'stream opened',
    );
  }

  /**
   * Sends viewers `: waiting` while Redis does not answer, because what they see may be old. When Redis answers again,
   * each viewer gets a heartbeat as soon as it has received what it missed.
   */
  setRedisAway(away: boolean): void {
    if (!away) {
      for (const sink of this.waiting) {
        const following = this.viewers.get(sink);
        if (following?.state === BEHIND) continue;
        this.waiting.delete(sink);
        if (following?.state === LIVE) following.noteBackpressure(writeTo(sink, HEARTBEAT));
      }
      return;
    }
    // Repeated, because an event that arrived before the outage would make the stream look live.
    const again = performance.now() - this.waitingSentAt > RESEND_MS;
    if (again) this.waitingSentAt = performance.now();
    for (const [sink, following] of this.viewers) {
      // Nothing is written to a viewer that does not read: the bytes that it reads next are old anyway.
      if ((this.waiting.has(sink) && !again) || following.state === STALLED || following.state === CLOSED)
        continue;
      this.waiting.add(sink);
      following.noteBackpressure(writeTo(sink, WAITING));
    }
  }

  private follow(
    channels: MultiplexedChannel[],
    sink: StreamSink,
    lastEventId: string | undefined,
  ): Following {
    const [{ name, after, stays }, ...others] = channels as [MultiplexedChannel, ...MultiplexedChannel[]];
    return others.length > 0
      ? new MultiplexedStream(this.hub, channels, sink, lastEventId)
      : this.hub.subscribe(name, sink, { lastEventId, after, stays });
  }

  protected override prepare(): void {
    this.ticks++;
    this.ticksApart = this.heartbeats.ticksApart(this.count);
    this.heartbeat = this.heartbeats.frame(this.ticksApart);
  }

  protected serve(sink: StreamSink, following: Following): void {
    if (following.beatDue > this.ticks || following.state !== LIVE) return;
    following.beatDue = this.ticks + this.ticksApart;
    following.noteBackpressure(writeTo(sink, this.waiting.has(sink) ? WAITING : this.heartbeat));
  }

  /** A stream that has ended counts as stalled until its viewer closes it. */
  protected stalledSince({ state, stalledAt }: Following): number | undefined {
    return state === STALLED || state === CLOSED ? stalledAt : undefined;
  }

  protected eventsOf({ events }: Following): number {
    return events;
  }

  protected resume(following: Following): void {
    following.resume();
  }

  protected release(sink: StreamSink, following: Following): void {
    following.close();
    this.waiting.delete(sink);
  }
}
