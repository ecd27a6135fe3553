import type { Missed } from './reader.js';

/** How much a process keeps at most of what was read for viewers whose sockets are full, in bytes. */
const KEPT_BYTES = 32 * 1024 * 1024;

/** How much is kept of what was read for all channels of a process. */
export class PageBudget {
  private used = 0;

  constructor(private readonly max = KEPT_BYTES) {}

  /** @returns whether there is room */
  take(bytes: number): boolean {
    if (this.used + bytes > this.max) return false;
    this.used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}

/** What one read gave. All subscriptions that it was read for share it, until the last one has written its frames. */
export class Page {
  readonly readAt = performance.now();
  private holders = 0;
  private readonly bytes: number;

  constructor(
    readonly missed: Missed,
    /** How often the feed had come online when the read began. */
    readonly generation: number,
    private readonly budget: PageBudget,
  ) {
    this.bytes = missed.frames.reduce((sum, { frame }) => sum + frame.length, 0);
  }

  /** Keeps it for one more subscription. @returns whether there is room; without it the frames are read again */
  hold(): boolean {
    if (this.holders === 0 && !this.budget.take(this.bytes)) return false;
    this.holders++;
    return true;
  }

  release(): void {
    if (--this.holders === 0) this.budget.give(this.bytes);
  }
}
