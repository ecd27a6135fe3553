/** Where frames go. A `net.Socket` is one. */
export interface Sink {
  /** Takes a frame; `false` means: hold back until {@link Subscription.resume} is called. */
  write(frame: Buffer): boolean;
  /** The channel has ended: nothing follows. */
  end(): void;
}

/** The channel that a subscription belongs to, as the subscription sees it. */
interface Source {
  catchUp(subscription: Subscription): void;
  leave(subscription: Subscription): void;
}

export const BEHIND = 0;
export const LIVE = 1;
export const STALLED = 2;
export const CLOSED = 3;
export type SubscriptionState = typeof BEHIND | typeof LIVE | typeof STALLED | typeof CLOSED;

/**
 * One viewer of one channel. All it keeps is where it stands: an epoch and an offset. Whatever made it fall
 * behind (it came late, it came back, it read too slowly, Redis was away), it goes on from there.
 */
export class Subscription {
  state: SubscriptionState = BEHIND;
  /** When it stopped taking frames, in ms since the epoch; 0 while it takes them. */
  stalledAt = 0;

  constructor(
    private readonly source: Source,
    readonly sink: Sink,
    public epoch: string,
    public offset: number,
    /** Until it has been served once: the log events up to this offset are not wanted. */
    public after: number | undefined,
  ) {}

  /** Writes one frame and moves on to its offset. The sink's "hold back" makes it stalled. */
  take(frame: Buffer, offset: number): void {
    this.offset = offset;
    this.hold(this.sink.write(frame));
  }

  /** Notes the sink's answer to a write. */
  hold(more: boolean): void {
    if (!more && this.state !== CLOSED) {
      this.state = STALLED;
      this.stalledAt = Date.now();
    }
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
    this.source.leave(this);
  }
}
