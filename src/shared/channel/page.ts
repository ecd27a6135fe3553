import type { ChannelPosition, Missed } from './reader.js';

/** Maximum size of all pages that a process keeps for viewers with a full socket, in bytes. */
const KEPT_BYTES = 32 * 1024 * 1024;
/** A state event that was read longer ago than this is read again before it is written, because there may be a newer one. */
export const FRESH_MS = 1000;

/** Counts the bytes of the pages that a process keeps. */
export class PageBudget {
  private used = 0;

  constructor(private readonly max = KEPT_BYTES) {}

  /** Reserves room for a page. @returns false if there is not enough */
  take(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  /** Releases the room of a page. */
  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** The result of one read. The subscriptions it was read for share it until the last one has written its frames. */
export class Page {
  private readonly readAt = performance.now();
  private holders = 0;
  private readonly bytes: number;

  constructor(
    /** Where the read started. */
    readonly start: ChannelPosition,
    readonly missed: Missed,
    /** The generation of the feed at the start of the read. */
    readonly generation: number,
    private readonly budget: PageBudget,
  ) {
    this.bytes = missed.frames.reduce((sum, { frame }) => sum + frame.length, 0);
  }

  /** Whether the page was read too long ago to write its state events. */
  get isOld(): boolean {
    return performance.now() - this.readAt > FRESH_MS;
  }

  /**
   * Returns the index of the first frame that a reader at a position has missed; `undefined` if the page does not have
   * everything that a read from there would return. A page that was read from a lower offset usually has.
   */
  firstMissedAt(position: ChannelPosition): number | undefined {
    const { start, missed } = this;
    if (!mayCover(start, position)) return undefined;
    if (position.offset === start.offset) return 0;
    if (missed.reset === 'trimmed') return undefined;
    // Both start from the beginning.
    if (missed.reset) return 0;
    if (missed.epoch !== position.epoch || position.offset > missed.offset) return undefined;
    const index = missed.frames.findIndex(({ offset }) => offset > position.offset);
    return index < 0 ? missed.frames.length : index;
  }

  /** Keeps the page for one more holder. @returns false if there is no room: the frames have to be read again */
  hold(): boolean {
    if (this.holders === 0 && !this.budget.take(this.bytes)) return false;
    this.holders++;
    return true;
  }

  release(): void {
    if (--this.holders === 0) this.budget.give(this.bytes);
  }
}

/** Returns whether a read from `start` may return what a reader at `position` has missed. */
export const mayCover = (start: ChannelPosition, position: ChannelPosition): boolean =>
  position.epoch === start.epoch && position.offset >= start.offset && position.after === start.after;
