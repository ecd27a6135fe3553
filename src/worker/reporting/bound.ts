/** What a job says that matters one by one. */
export type ReportKind = 'log' | 'event' | 'partial';

/** How much of each kind is missing on a job's stream. */
export type Missing = Partial<Record<ReportKind | 'other', number>>;

/** From so much on a job that awaits what it says waits. */
const WAIT_BYTES = 256 * 1024;
const WAIT_COUNT = 1000;
/** More than that is not kept: a job that does not await loses it, and its stream says how much. */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_COUNT = 10_000;

const ROOM = Promise.resolve();

/** Bounds what one run says that Redis has not taken yet. */
export class ReportBound {
  private bytes = 0;
  private count = 0;
  private missing: Missing | undefined;
  private waiting: { promise: Promise<void>; resolve: () => void } | undefined;

  /** @param onRoom called when there is room again after something was left out */
  constructor(private readonly onRoom: () => void) {}

  /** Whether one of that size can be added. */
  fits(bytes: number): boolean {
    return this.bytes + bytes <= MAX_BYTES && this.count < MAX_COUNT;
  }

  /** @returns whether there is room for it; otherwise it is counted as missing */
  add(kind: ReportKind, bytes: number): boolean {
    if (!this.fits(bytes)) {
      this.missing ??= {};
      this.missing[kind] = (this.missing[kind] ?? 0) + 1;
      return false;
    }
    this.bytes += bytes;
    this.count++;
    return true;
  }

  /** Redis has one of that size. */
  taken(bytes: number): void {
    this.bytes -= bytes;
    this.count--;
    if (this.isFull) return;
    if (this.missing) this.onRoom();
    this.waiting?.resolve();
    this.waiting = undefined;
  }

  /** Resolves when there is room: at once while little waits. */
  room(): Promise<void> {
    if (!this.isFull) return ROOM;
    if (!this.waiting) {
      let resolve!: () => void;
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.waiting = { promise, resolve };
    }
    return this.waiting.promise;
  }

  /** What was left out since this was last asked. */
  takeMissing(): Missing | undefined {
    const { missing } = this;
    this.missing = undefined;
    return missing;
  }

  private get isFull(): boolean {
    return this.bytes >= WAIT_BYTES || this.count >= WAIT_COUNT;
  }
}
