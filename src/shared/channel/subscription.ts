import type { Page } from './page.js';

/** Where frames go. A `net.Socket` is one. */
export interface Sink {
  /** Takes a frame; `false` means: hold back until {@link Subscription.resume} is called. */
  write(frame: Buffer): boolean;
  /** How many bytes it holds that the system has not taken yet. */
  readonly writableLength?: number;
  /** The channel has ended: nothing follows. */
  end(): void;
}

/**
 * Writes to a sink.
 * @returns whether it takes more. A Node stream answers `false` to a large write even when the system took all of it.
 */
export const writeTo = (sink: Sink, frame: Buffer): boolean => sink.write(frame) || sink.writableLength === 0;

/** The channel that a subscription belongs to, as the subscription sees it. */
interface Source {
  catchUp(subscription: Subscription): void;
  leave(subscription: Subscription): void;
}

/** What is left of a page that was read: the frames from `next` on. */
export interface Rest {
  page: Page;
  next: number;
}

export const BEHIND = 0;
export const LIVE = 1;
export const STALLED = 2;
export const CLOSED = 3;
export type SubscriptionState = typeof BEHIND | typeof LIVE | typeof STALLED | typeof CLOSED;

/**
 * One viewer of one channel. All it needs is where it stands: an epoch and an offset. Whatever made it fall
 * behind (it came late, it came back, it read too slowly, Redis was away), it goes on from there.
 */
export class Subscription {
  state: SubscriptionState = BEHIND;
  /** When it stopped taking frames or was closed, in ms of the monotonic clock; 0 while it takes them. */
  stalledAt = 0;
  /** When its next heartbeat is due, for whoever sends those. */
  beatDue = 0;
  /** What was read for it and is not written yet. */
  rest: Rest | undefined;

  constructor(
    private readonly source: Source,
    readonly sink: Sink,
    public epoch: string,
    public offset: number,
    /** Until it has been served once: the log events up to this offset are not wanted. */
    public after: number | undefined,
    /** Whether it goes on after the end of the channel: a job may run again. */
    readonly stays = false,
  ) {}

  /** Writes one frame and moves on to its offset. The sink's "hold back" makes it stalled. */
  take(frame: Buffer, offset: number): void {
    this.offset = offset;
    this.hold(writeTo(this.sink, frame));
  }

  /** Notes the sink's answer to a write. */
  hold(more: boolean): void {
    if (!more && this.state !== CLOSED && this.state !== STALLED) {
      this.state = STALLED;
      this.stalledAt = performance.now();
    }
  }

  /** Keeps what is left of a page until the sink takes frames again; without room for it, it is read again. */
  keep(page: Page, next: number): void {
    if (this.rest) this.rest.next = next;
    else if (page.hold()) this.rest = { page, next };
  }

  /** Nothing is left to write of what was read. */
  dropRest(): void {
    this.rest?.page.release();
    this.rest = undefined;
  }

  /** The sink takes frames again. */
  resume(): void {
    if (this.state !== STALLED) return;
    this.stalledAt = 0;
    this.state = BEHIND;
    this.source.catchUp(this);
  }

  /** The viewer has gone. */
  close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.stalledAt = performance.now();
    this.dropRest();
    this.source.leave(this);
  }
}
