import type { Missed } from './reader.js';

/** Maximum size of all pages that a process keeps for viewers with a full socket, in bytes. */
const KEPT_BYTES = 32 * 1024 * 1024;

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
  readonly readAt = performance.now();
  private holders = 0;
  private readonly bytes: number;

  constructor(
    readonly missed: Missed,
    /** The generation of the feed at the start of the read. */
    readonly generation: number,
    private readonly budget: PageBudget,
  ) {
    this.bytes = missed.frames.reduce((sum, { frame }) => sum + frame.length, 0);
  }

  /** Keeps the page for one more subscription. @returns false if there is no room: the frames have to be read again */
  hold(): boolean {
    if (this.holders === 0 && !this.budget.take(this.bytes)) return false;
    this.holders++;
    return true;
  }

  release(): void {
    if (--this.holders === 0) this.budget.give(this.bytes);
  }
}
