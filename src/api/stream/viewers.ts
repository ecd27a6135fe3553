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
import { serverNow } from '../../shared/redis/server-clock.js';
import type { Credential } from '../auth/credential.js';
import type { Audience } from '../auth/revocation-watch.js';
import type { Revoked } from '../auth/revocations.js';
import { redactUrl } from '../http/request-log.js';
import { endStream, type SinkEvents, type StreamSink } from './handshake.js';
import { createHeartbeats, type Heartbeats } from './heartbeats.js';
import { type MultiplexedChannel, MultiplexedStream } from './multiplexed.js';
import { type PendingStream, WAITING } from './pending-stream.js';
import { EXPIRED, REVOKED } from './unauthorized.js';

const HEARTBEAT = Buffer.from(': \n\n');
const NOT_LIVE = Buffer.from(WAITING);
/** While Redis is away, viewers are told so at least this often, in ms. */
const RESEND_MS = 1000;
/** So many are looked at together when credentials are looked at again. */
const AT_ONCE = 500;
export interface ViewersOptions {
  hub: ChannelHub;
  isRevoked: (credential: Credential) => Promise<boolean>;
  /** The longest time between two heartbeats. */
  heartbeatMs: number;
  /** A viewer that took nothing for this long is dropped, in ms. */
  stallTimeoutMs: number;
  log: Logger;
}

/** What one viewer follows: a subscription, or several in a bundle. */
interface Following {
  readonly state: SubscriptionState;
  readonly stalledAt: number;
  /** The tick of its next heartbeat. */
  beatDue: number;
  hold(more: boolean): void;
  resume(): void;
  close(): void;
}

/**
 * The viewers of this process: everybody who holds an event stream. One timer serves all of them.
 */
export class Viewers implements Audience {
  private readonly bySink = new Map<StreamSink, Following>();
  /** What the permission of those rests on that can lose it. */
  private readonly credentials = new Map<StreamSink, Credential[]>();
  private readonly timer: NodeJS.Timeout;
  private readonly heartbeats: Heartbeats;
  private tick = 0;
  private came = 0;
  /** Those that were told that Redis does not answer, and not yet that they are live again. */
  private readonly waiting = new Set<StreamSink>();
  /** When they were told so last, ms. */
  private waitingSentAt = 0;
  private closed = false;
  private readonly events: SinkEvents = {
    onDrain: (sink) => this.bySink.get(sink)?.resume(),
    onClose: (sink) => {
      this.bySink.get(sink)?.close();
      this.bySink.delete(sink);
      this.credentials.delete(sink);
      this.waiting.delete(sink);
    },
  };

  constructor(private readonly options: ViewersOptions) {
    this.heartbeats = createHeartbeats(options.heartbeatMs);
    this.timer = setInterval(() => this.beat(), this.heartbeats.tickMs);
    this.timer.unref();
  }

  get count(): number {
    return this.bySink.size;
  }

  /**
   * Answers a request with the stream of one channel or several. A viewer that has seen the end of all of them gets
   * 204, which by the standard stops a browser from reconnecting.
   * @param credentials what the viewer's permission rests on: with one of them it ends
   */
  async answer(
    stream: PendingStream,
    channels: MultiplexedChannel[],
    credentials: Credential[],
  ): Promise<void> {
    if (this.closed) return stream.comeBack();
    if (channels.every(({ over }) => over)) return stream.finish();
    const { lastEventId } = stream;
    const sink = await stream.open(this.events);
    if (!sink) return;
    if (this.closed) return endStream(sink);
    const { hub, log } = this.options;
    const [{ name, after, stays }, ...others] = channels as [MultiplexedChannel, ...MultiplexedChannel[]];
    const following =
      others.length > 0
        ? new MultiplexedStream(hub, channels, sink, lastEventId)
        : hub.subscribe(name, sink, { lastEventId, after, stays });
    this.bySink.set(sink, following);
    // Those that came together do not get their heartbeats together.
    following.beatDue = this.tick + 1 + (this.came++ % this.heartbeats.ticksApart(this.count));
    if (credentials.length > 0) {
      this.credentials.set(sink, credentials);
      this.dismissIfRevoked(sink, credentials, this.options.isRevoked)
        // Redis is away: when it is back, all are looked at again.
        .catch((error) => log.debug({ err: error }, 'could not look whether a token was revoked'));
    }
    log.debug({ url: redactUrl(stream.req.originalUrl), channels: channels.length }, 'stream opened');
  }

  /** Ends every stream; the viewers reconnect, to another process. */
  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    for (const [sink, following] of this.bySink) {
      following.close();
      endStream(sink);
    }
    this.bySink.clear();
    this.credentials.clear();
    this.waiting.clear();
  }

  /**
   * Tells the viewers that what they see may be old while Redis does not answer, and then, each as soon as it has what it
   * missed, that it is live again.
   */
  noteRedis(away: boolean): void {
    if (!away) {
      for (const sink of this.waiting) {
        const following = this.bySink.get(sink);
        if (following?.state === BEHIND) continue;
        this.waiting.delete(sink);
        if (following?.state === LIVE) following.hold(writeTo(sink, HEARTBEAT));
      }
      return;
    }
    // Again now and then: an event that came while Redis was back for a moment says that the stream is live.
    const again = performance.now() - this.waitingSentAt > RESEND_MS;
    if (again) this.waitingSentAt = performance.now();
    for (const [sink, following] of this.bySink) {
      // One that reads nothing is not told more: what it reads next is not live for it either.
      if ((this.waiting.has(sink) && !again) || following.state === STALLED || following.state === CLOSED)
        continue;
      this.waiting.add(sink);
      following.hold(writeTo(sink, NOT_LIVE));
    }
  }

  /**
   * Looks again whether those that are here may stay, and ends the streams of those that may not.
   * @param revoked only those whose permission rests on this; all unless given
   */
  async recheck(isRevoked: (credential: Credential) => Promise<boolean>, revoked?: Revoked): Promise<void> {
    const concerns = (credential: Credential): boolean =>
      revoked === undefined || credential[revoked.field] === revoked.name;
    const open = [...this.credentials].filter(([, credentials]) => credentials.some(concerns));
    for (let i = 0; i < open.length; i += AT_ONCE) {
      await Promise.all(
        open
          .slice(i, i + AT_ONCE)
          .map(([sink, credentials]) => this.dismissIfRevoked(sink, credentials, isRevoked)),
      );
    }
  }

  /** Asked of a newcomer too: what was revoked after its token was checked, and before it was here, was told to nobody. */
  private async dismissIfRevoked(
    sink: StreamSink,
    credentials: Credential[],
    isRevoked: (credential: Credential) => Promise<boolean>,
  ): Promise<void> {
    const lost = await Promise.all(credentials.map(isRevoked));
    if (lost.includes(true)) this.dismiss(sink, REVOKED);
  }

  /** Ends the streams of those whose permission has ended, with an event that says so. */
  private endOverdue(): void {
    const now = serverNow();
    for (const [sink, credentials] of this.credentials) {
      if (credentials.some(({ expiresAt = now + 1 }) => expiresAt <= now)) this.dismiss(sink, EXPIRED);
    }
  }

  private dismiss(sink: StreamSink, last: Buffer): void {
    const following = this.bySink.get(sink);
    if (!following) return;
    const stalled = following.state === STALLED;
    this.events.onClose(sink);
    // One that does not read would keep its socket for ever.
    if (stalled) return void sink.destroy();
    sink.write(last);
    endStream(sink);
  }

  private beat(): void {
    this.endOverdue();
    const droppable = performance.now() - this.options.stallTimeoutMs;
    const ticks = this.heartbeats.ticksApart(this.count);
    const heartbeat = this.heartbeats.frame(ticks);
    this.tick++;
    for (const [sink, following] of this.bySink) {
      // What was ended waits for its viewer as one that does not read does.
      if (following.state === STALLED || following.state === CLOSED) {
        if (following.stalledAt < droppable) sink.destroy();
      } else if (following.beatDue <= this.tick && following.state === LIVE) {
        following.beatDue = this.tick + ticks;
        following.hold(writeTo(sink, this.waiting.has(sink) ? NOT_LIVE : heartbeat));
      }
    }
  }
}
