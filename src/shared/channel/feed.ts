import { endsChannel, frameId, resetFrame } from './frame.js';
import { Page, type PageBudget } from './page.js';
import type { ChannelPosition, Reader } from './reader.js';
import { BEHIND, CLOSED, LIVE, type Sink, STALLED, Subscription, writeTo } from './subscription.js';

const RECENT_FRAMES = 256;
const RECENT_BYTES = 256 * 1024;
const RETRY_MS = 250;
/** A state event that was read longer ago than this is read again before it is written, because there may be a newer one. */
const FRESH_MS = 1000;

/**
 * One channel within this process. Writes each live frame to every subscription that is up to date, and brings the others
 * up to date from Redis.
 */
export class Feed {
  readonly subscriptions = new Set<Subscription>();
  /** The position of the last live frame. */
  private epoch = '';
  private offset = 0;
  /** Whether Redis has confirmed the subscription. Until then, events may be missing from both a read and the live feed. */
  private connected = false;
  /** How many times Redis has confirmed it. */
  private generation = 0;
  /** Pending reads by the position they start from. Subscriptions at the same position share one. */
  private reads = new Map<string, Set<Subscription>>();
  /** Live frames that arrived during a read, so that the two can be joined. */
  private recent: Array<{ offset: number; frame: Buffer }> = [];
  private recentBytes = 0;

  constructor(
    readonly name: string,
    private readonly read: Reader,
    private readonly budget: PageBudget,
    private readonly onEmpty: (feed: Feed) => void,
  ) {}

  join(sink: Sink, since: ChannelPosition, stays = false): Subscription {
    const subscription = new Subscription(this, sink, since.epoch, since.offset, since.after, stays);
    this.subscriptions.add(subscription);
    this.catchUp(subscription);
    return subscription;
  }

  leave(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size === 0) this.onEmpty(this);
  }

  /** Redis has confirmed the subscription: everything that was published before has to be read. */
  online(): void {
    this.connected = true;
    this.generation++;
    // The last live frame and pending reads are from before this moment: they may be behind the channel.
    this.reads = new Map();
    this.moveTo('');
    for (const subscription of this.subscriptions) {
      if (subscription.state === LIVE) subscription.state = BEHIND;
      if (subscription.state === BEHIND) this.catchUp(subscription);
    }
  }

  /** The connection is lost: live frames may be missed from now on. */
  offline(): void {
    this.connected = false;
  }

  /** Writes a live frame to the subscriptions. */
  deliver(frame: Buffer): void {
    const { epoch, offset } = frameId(frame);
    if (epoch !== this.epoch) this.startEpoch(epoch);
    this.offset = offset;
    if (this.reads.size > 0) this.remember(offset, frame);
    const last = endsChannel(frame);
    for (const subscription of this.subscriptions) {
      if (subscription.state !== LIVE || offset <= subscription.offset) continue;
      if (offset > subscription.offset + 1) {
        subscription.state = BEHIND;
        this.catchUp(subscription);
        continue;
      }
      subscription.epoch = epoch;
      subscription.writeFrame(frame, offset);
      if (last && !subscription.stays) this.finish(subscription);
    }
  }

  /** Brings a subscription up to date, then makes it live. */
  catchUp(subscription: Subscription): void {
    if (subscription.rest)
      return this.writePage(subscription, subscription.rest.page, subscription.rest.next);
    if (!this.connected) return;
    if (subscription.epoch === this.epoch && subscription.offset === this.offset && this.offset > 0) {
      subscription.state = LIVE;
      return;
    }
    const position = positionOf(subscription);
    const waiting = this.reads.get(position);
    if (waiting) {
      waiting.add(subscription);
      return;
    }
    const { reads, generation } = this;
    const group = new Set([subscription]);
    reads.set(position, group);
    const forEachWaiting = (next: (member: Subscription) => void): void => {
      if (reads !== this.reads) return;
      reads.delete(position);
      // A subscription that has moved on is served by another read, or needs none.
      for (const member of group)
        if (member.rest === undefined && positionOf(member) === position) next(member);
      if (reads.size === 0) this.forget();
    };
    this.read(this.name, subscription).then(
      (missed) => {
        const page = missed && new Page(missed, generation, this.budget);
        forEachWaiting((member) => {
          if (member.state === BEHIND || member.state === STALLED) this.serve(member, page);
        });
      },
      // Redis is unavailable or slow: try again.
      () =>
        setTimeout(forEachWaiting, RETRY_MS, (member: Subscription) => {
          if (member.state === BEHIND) this.catchUp(member);
        }),
    );
  }

  private serve(subscription: Subscription, page: Page | undefined): void {
    const missed = page?.missed;
    // `after` applies to the first read only.
    subscription.after = undefined;
    const hasSeenEvents = subscription.epoch !== '' || subscription.offset > 0;
    const reset = missed ? missed.reset : hasSeenEvents ? 'expired' : '';
    // For a viewer that has seen nothing, a trimmed log is simply the current state.
    if (reset && hasSeenEvents) subscription.noteBackpressure(writeTo(subscription.sink, resetFrame(reset)));
    if (!page || !missed) {
      subscription.epoch = '';
      subscription.offset = 0;
      if (subscription.state === BEHIND) this.goLive(subscription);
      return;
    }
    if (missed.epoch !== subscription.epoch) {
      subscription.epoch = missed.epoch;
      subscription.offset = 0;
    }
    this.writePage(subscription, page, 0);
  }

  /** Writes the frames of a page from index `from` on, and keeps those that the sink does not accept yet. */
  private writePage(subscription: Subscription, page: Page, from: number): void {
    const { frames, end, offset: last, more } = page.missed;
    const isOld = from > 0 && performance.now() - page.readAt > FRESH_MS;
    for (let next = from; next < frames.length; next++) {
      if (subscription.state === CLOSED) return;
      if (subscription.state === STALLED) return subscription.keep(page, next);
      // biome-ignore lint/style/noNonNullAssertion: `next` is less than the length; this loop writes every missed frame
      const { offset, frame, isState } = frames[next]!;
      if (isOld && isState) {
        subscription.dropRest();
        return this.catchUp(subscription);
      }
      subscription.writeFrame(frame, offset);
      if (offset === end && !subscription.stays) return this.finish(subscription);
    }
    if (subscription.state === CLOSED) return;
    subscription.dropRest();
    subscription.offset = last;
    if (subscription.state === STALLED) return;
    // A page that was read before a reconnect misses what was published meanwhile.
    if (more || page.generation !== this.generation) this.catchUp(subscription);
    else this.goLive(subscription);
  }

  /** Joins what was read with the live frames that arrived meanwhile. Reads again if there is a gap between the two. */
  private goLive(subscription: Subscription): void {
    if (this.epoch !== '' && this.epoch !== subscription.epoch) {
      // The read and the last live frame have different epochs. A second read shows which is the newer one.
      this.moveTo(subscription.epoch);
      return this.catchUp(subscription);
    }
    for (const { offset, frame } of this.recent) {
      if (offset <= subscription.offset) continue;
      if (offset > subscription.offset + 1) break;
      subscription.writeFrame(frame, offset);
      if (endsChannel(frame) && !subscription.stays) return this.finish(subscription);
      if (subscription.state !== BEHIND) return;
    }
    if (subscription.offset < this.offset) return this.catchUp(subscription);
    subscription.state = LIVE;
  }

  private finish(subscription: Subscription): void {
    if (subscription.state === CLOSED) return;
    subscription.sink.end();
    subscription.close();
  }

  /** The channel was created anew: the positions of the subscriptions do not apply to it. */
  private startEpoch(epoch: string): void {
    this.moveTo(epoch);
    for (const subscription of this.subscriptions) {
      if (subscription.state === LIVE && subscription.epoch !== '' && subscription.epoch !== epoch) {
        subscription.state = BEHIND;
        this.catchUp(subscription);
      }
    }
  }

  private moveTo(epoch: string): void {
    this.epoch = epoch;
    this.offset = 0;
    this.forget();
  }

  private remember(offset: number, frame: Buffer): void {
    this.recent.push({ offset, frame });
    this.recentBytes += frame.length;
    while (
      this.recent.length > RECENT_FRAMES ||
      (this.recentBytes > RECENT_BYTES && this.recent.length > 1)
    ) {
      this.recentBytes -= this.recent.shift()?.frame.length ?? 0;
    }
  }

  private forget(): void {
    this.recent = [];
    this.recentBytes = 0;
  }
}

const positionOf = ({ epoch, offset, after }: Subscription): string => `${epoch}-${offset}-${after}`;
