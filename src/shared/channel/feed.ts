import {
  conflatedEvents,
  liveEvents,
  replayedEvents,
  streamLag,
  streamResets,
} from '../metrics/stream-metrics.js';
import { serverNow } from '../redis/server-clock.js';
import { endsChannel, frameId, happenedAt, resetFrame } from './frame.js';
import { jobOfChannel } from './keys.js';
import { FRESH_MS, mayCover, Page, type PageBudget } from './page.js';
import type { ChannelPosition, Missed, Reader } from './reader.js';
import { BEHIND, CLOSED, LIVE, type Sink, STALLED, Subscription } from './subscription.js';

const RECENT_FRAMES = 256;
const RECENT_BYTES = 256 * 1024;
const RETRY_MS = 250;
/** The result of a read from a channel that does not exist. */
const NO_CHANNEL: Missed = {
  epoch: '',
  offset: 0,
  end: undefined,
  reset: 'expired',
  more: false,
  frames: [],
};

/** A pending read and the subscriptions that wait for it. */
interface PendingRead {
  start: ChannelPosition;
  waiting: Set<Subscription>;
}

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
  /** Pending reads. Subscriptions at the same position, or at a later one, share one. */
  private reads = new Set<PendingRead>();
  /** The last page, if it is up to date: no live frame has arrived since. */
  private latest: Page | undefined;
  private latestTimer: NodeJS.Timeout | undefined;
  /** Live frames that arrived during a read, so that the two can be joined. */
  private recent: Array<{ offset: number; frame: Buffer }> = [];
  private recentBytes = 0;
  private readonly ofJob: boolean;
  /** See {@link ChannelHub.hasEnded}. */
  hasEnded = false;

  constructor(
    readonly name: string,
    private readonly read: Reader,
    private readonly budget: PageBudget,
    private readonly onEmpty: (feed: Feed) => void,
  ) {
    this.ofJob = jobOfChannel(name) !== undefined;
  }

  join(sink: Sink, since: ChannelPosition, stays = false): Subscription {
    const subscription = new Subscription(this, sink, since.epoch, since.offset, since.after, stays);
    this.subscriptions.add(subscription);
    this.catchUp(subscription);
    return subscription;
  }

  leave(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size > 0) return;
    this.dropLatest();
    this.onEmpty(this);
  }

  /** Redis has confirmed the subscription: everything that was published before has to be read. */
  online(): void {
    this.connected = true;
    this.generation++;
    // The last live frame and pending reads are from before this moment: they may be behind the channel.
    this.reads = new Set();
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
    if (this.latest && offset > this.latest.missed.offset) this.dropLatest();
    if (this.reads.size > 0) this.remember(offset, frame);
    const last = endsChannel(frame);
    this.hasEnded = last;
    let written = 0;
    for (const subscription of this.subscriptions) {
      if (subscription.state !== LIVE || offset <= subscription.offset) continue;
      if (offset > subscription.offset + 1) {
        subscription.state = BEHIND;
        this.catchUp(subscription);
        continue;
      }
      subscription.epoch = epoch;
      subscription.writeFrame(frame, offset);
      written++;
      if (last && !subscription.stays) this.finish(subscription);
    }
    if (written > 0) this.countLive(frame, written);
  }

  /** Counts a frame that was written to `written` subscriptions. Once for all of them, because fan-out is the hottest path. */
  private countLive(frame: Buffer, written: number): void {
    liveEvents.value += written;
    const at = this.ofJob ? happenedAt(frame) : undefined;
    if (at !== undefined) streamLag.only.observe(Math.max(0, serverNow() - at) / 1000);
  }

  /** See {@link ChannelHub.isKnownOpen}. */
  get isKnownOpen(): boolean {
    return this.connected && this.latest !== undefined;
  }

  /**
   * Brings a subscription up to date, then makes it live.
   * @param alone whether it needs a read from its own position
   */
  catchUp(subscription: Subscription, alone = false): void {
    if (subscription.rest)
      return this.writePage(subscription, subscription.rest.page, subscription.rest.next);
    if (!this.connected) return;
    if (subscription.epoch === this.epoch && subscription.offset === this.offset && this.offset > 0) {
      subscription.goLive();
      return;
    }
    if (this.latest && !this.latest.isOld && this.serve(subscription, this.latest)) return;
    for (const { start, waiting } of this.reads) {
      if (!mayCover(start, subscription) || (alone && start.offset !== subscription.offset)) continue;
      waiting.add(subscription);
      return;
    }
    void this.readFor(subscription);
  }

  /** Reads what a subscription has missed, and serves it with those that have joined meanwhile. */
  private async readFor(first: Subscription): Promise<void> {
    const { epoch, offset, after } = first;
    const { reads, generation } = this;
    const pending: PendingRead = { start: { epoch, offset, after }, waiting: new Set([first]) };
    reads.add(pending);
    let page: Page | undefined;
    try {
      const missed = (await this.read(this.name, pending.start)) ?? NO_CHANNEL;
      page = new Page(pending.start, missed, generation, this.budget);
    } catch {
      // Redis is unavailable or slow: try again.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    if (reads !== this.reads) return;
    reads.delete(pending);
    if (page) this.keepLatest(page);
    for (const member of pending.waiting) {
      // A subscription that has moved on is served by another read, or needs none.
      if (member.rest || member.state === LIVE || member.state === CLOSED) continue;
      if (page && this.serve(member, page)) continue;
      if (member.state === BEHIND) this.catchUp(member, page !== undefined);
    }
    if (reads.size === 0) this.forget();
  }

  /** Keeps a page that is up to date for further subscriptions. A channel that has ended may be reopened at any moment. */
  private keepLatest(page: Page): void {
    const { epoch, offset, end, more } = page.missed;
    // Of a channel that has vanished, the newest event stays the newest.
    if (page.missed !== NO_CHANNEL && !more) this.hasEnded = end !== undefined;
    const isUpToDate = !more && (this.epoch === '' || this.epoch === epoch) && offset >= this.offset;
    if (!isUpToDate || page.missed === NO_CHANNEL || end !== undefined || !page.hold()) return;
    this.dropLatest();
    this.latest = page;
    this.latestTimer = setTimeout(() => this.dropLatest(), FRESH_MS).unref();
  }

  private dropLatest(): void {
    this.latest?.release();
    this.latest = undefined;
    clearTimeout(this.latestTimer);
  }

  /** Writes what a subscription has missed. @returns false if the page does not have it */
  private serve(subscription: Subscription, page: Page): boolean {
    const first = page.firstMissedAt(subscription);
    if (first === undefined) return false;
    const { epoch, reset } = page.missed;
    // `after` applies to the first read only.
    subscription.after = undefined;
    const hasSeenEvents = subscription.epoch !== '' || subscription.offset > 0;
    // For a viewer that has seen nothing, a trimmed log is simply the current state.
    if (reset && hasSeenEvents) {
      streamResets.at(reset).value++;
      subscription.writeEvent(resetFrame(reset));
    }
    subscription.follows = hasSeenEvents && !reset && epoch === subscription.epoch;
    if (epoch !== subscription.epoch) {
      subscription.epoch = epoch;
      subscription.offset = 0;
    }
    this.writePage(subscription, page, first);
    return true;
  }

  /** Writes the frames of a page from index `from` on, and keeps those that the sink does not accept yet. */
  private writePage(subscription: Subscription, page: Page, from: number): void {
    const { frames, end, offset: last, more } = page.missed;
    const isOld = from > 0 && page.isOld;
    for (let next = from; next < frames.length; next++) {
      if (subscription.state === CLOSED) return;
      if (subscription.state === STALLED) return subscription.keep(page, next);
      // biome-ignore lint/style/noNonNullAssertion: `next` is less than the length; this loop writes every missed frame
      const { offset, frame, isState } = frames[next]!;
      if (isOld && isState) {
        subscription.dropRest();
        return this.catchUp(subscription);
      }
      if (subscription.follows) conflatedEvents.only.value += offset - subscription.offset - 1;
      replayedEvents.value++;
      subscription.writeFrame(frame, offset);
      if (offset === end && !subscription.stays) return this.finish(subscription);
    }
    if (subscription.state === CLOSED) return;
    subscription.dropRest();
    if (subscription.follows) conflatedEvents.only.value += Math.max(0, last - subscription.offset);
    subscription.offset = last;
    // A viewer that has seen the end elsewhere would otherwise wait for nothing.
    if (end !== undefined && last >= end && !more && !subscription.stays) return this.finish(subscription);
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
      liveEvents.value++;
      subscription.writeFrame(frame, offset);
      if (endsChannel(frame) && !subscription.stays) return this.finish(subscription);
      if (subscription.state !== BEHIND) return;
    }
    if (subscription.offset < this.offset) return this.catchUp(subscription);
    subscription.follows = true;
    subscription.goLive();
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
    this.dropLatest();
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
