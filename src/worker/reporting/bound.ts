/** Kinds of reports that must all be delivered, unlike progress updates. */
export type ReportKind = 'log' | 'event' | 'partial';

/** Number of missing reports on the stream of a job, by kind. */
export type Missing = Partial<Record<ReportKind | 'other', number>>;

/** Above these limits, jobs that await their reports have to wait. */
const WAIT_BYTES = 256 * 1024;
const WAIT_COUNT = 1000;
/**
 * Reports above these limits are dropped, and the stream says how many. This happens to jobs that do not await their
 * reports.
 */
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_COUNT = 10_000;

const ROOM = Promise.resolve();

/** Limits the reports of one run that Redis does not have yet. */
export class ReportBound {
  private bytes = 0;
  private count = 0;
  private missing: Missing | undefined;
  private waiting: { promise: Promise<void>; resolve: () => void } | undefined;

  /** @param onRoom called when there is room again after reports were dropped */
  constructor(private readonly onRoom: () => void) {}

  /** Whether a report of this size can be added. */
  fits(bytes: number): boolean {
    return this.bytes + bytes <= MAX_BYTES && this.count < MAX_COUNT;
  }

  /** @returns whether there is room for the report; otherwise it is counted as missing */
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

  /** Removes a report of this size, because Redis has it. */
  taken(bytes: number): void {
    this.bytes -= bytes;
    this.count--;
    if (this.isFull) return;
    if (this.missing) this.onRoom();
    this.waiting?.resolve();
    this.waiting = undefined;
  }

  /** Resolves when there is room: at once while few reports are pending. */
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

  /** Returns and resets the numbers of dropped reports. */
  takeMissing(): Missing | undefined {
    const { missing } = this;
    this.missing = undefined;
    return missing;
  }

  private get isFull(): boolean {
    return this.bytes >= WAIT_BYTES || this.count >= WAIT_COUNT;
  }
}
