import { streamBytes } from '../metrics/stream-metrics.js';
import type { Page } from './page.js';

const bytes = streamBytes.only;

/** The destination of frames, such as a `net.Socket`. */
export interface Sink {
  /** Writes a frame. Returns false if no more should be written until {@link Subscription.resume} is called. */
  write(frame: Buffer): boolean;
  /** The number of buffered bytes that the operating system has not accepted yet. */
  readonly writableLength?: number;
  /** Ends the sink: the channel has ended. */
  end(): void;
  /** Called when everything that was published before has been written. */
  caughtUp?(): void;
}

/**
 * Writes a frame to a sink, and counts its bytes.
 * @returns whether more may be written. A Node stream returns false for a large write even if the system accepted all of it.
 */
export function writeTo(sink: Sink, frame: Buffer): boolean {
  bytes.value += frame.length;
  return sink.write(frame) || sink.writableLength === 0;
}

/** The part of a feed that a subscription uses. */
interface Source {
  catchUp(subscription: Subscription): void;
  leave(subscription: Subscription): void;
}

/** The unwritten rest of a page: the frames from `next` on. */
export interface Rest {
  page: Page;
  next: number;
}

/** The position before the first event of any channel. The offset of the first event is 1. */
const BEGINNING = '0-0';

export const BEHIND = 0;
export const LIVE = 1;
export const STALLED = 2;
export const CLOSED = 3;
export type SubscriptionState = typeof BEHIND | typeof LIVE | typeof STALLED | typeof CLOSED;

/**
 * One viewer of one channel. Its state is its position: an epoch and an offset. It catches up from there in the same way
 * whether it joined late, reconnected, read too slowly or missed events because Redis was unavailable.
 */
export class Subscription {
  state: SubscriptionState = BEHIND;
  /** When the sink stopped accepting frames or was closed, in ms of the monotonic clock; 0 while it accepts them. */
  stalledAt = 0;
  /** When the next heartbeat is due. Used by the sender of heartbeats. */
  beatDue = 0;
  /** Frames that were read but not written yet. */
  rest: Rest | undefined;
  /** Whether it has followed the channel so far: what it skips from now on was conflated. */
  follows = false;
  /** How many events it has written. */
  events = 0;

  constructor(
    private readonly source: Source,
    readonly sink: Sink,
    public epoch: string,
    public offset: number,
    /** Skips the log events up to this offset in the first read. */
    public after: number | undefined,
    /** Whether it continues after the end of the channel, because a job may run again. */
    readonly stays = false,
  ) {}

  /**
   * The id from which a viewer can continue; empty before the first read. Of a channel that does not exist yet, it is the
   * beginning.
   */
  get position(): string {
    if (this.epoch !== '') return `${this.epoch}-${this.offset}`;
    return this.state === BEHIND ? '' : BEGINNING;
  }

  /** Makes it live: it has everything that was published before. */
  goLive(): void {
    this.state = LIVE;
    this.sink.caughtUp?.();
  }

  /** Writes one frame and advances to its offset. The subscription stalls if the sink accepts no more. */
  writeFrame(frame: Buffer, offset: number): void {
    this.offset = offset;
    this.writeEvent(frame);
  }

  /** Writes the frame of an event without a position. The subscription stalls if the sink accepts no more. */
  writeEvent(frame: Buffer): void {
    this.events++;
    this.noteBackpressure(writeTo(this.sink, frame));
  }

  /** Records whether the sink accepts more after a write. */
  noteBackpressure(more: boolean): void {
    if (!more && this.state !== CLOSED && this.state !== STALLED) {
      this.state = STALLED;
      this.stalledAt = performance.now();
    }
  }

  /** Keeps the rest of a page until the sink accepts frames again. Without room for it, it is read again later. */
  keep(page: Page, next: number): void {
    if (this.rest) this.rest.next = next;
    else if (page.hold()) this.rest = { page, next };
  }

  /** Releases the kept page. */
  dropRest(): void {
    this.rest?.page.release();
    this.rest = undefined;
  }

  /** Call it when the sink accepts frames again. */
  resume(): void {
    if (this.state !== STALLED) return;
    this.stalledAt = 0;
    this.state = BEHIND;
    this.source.catchUp(this);
  }

  /** Call it when the viewer has disconnected. */
  close(): void {
    if (this.state === CLOSED) return;
    this.state = CLOSED;
    this.stalledAt = performance.now();
    this.dropRest();
    this.source.leave(this);
  }
}
