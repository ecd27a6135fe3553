import { setTimeout as sleep } from 'node:timers/promises';
import { type Numbered, ROW_CHARACTERS, ROW_EVENTS } from '../../shared/channel/publisher.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { retryWaitMs } from '../../shared/redis/until-taken.js';

/** Limits for delivered entries, which are kept in case Redis restarts without its last writes. */
const HISTORY_ENTRIES = 512;
const HISTORY_BYTES = 128 * 1024;

/** The outcome of a call. */
export type Sent = Numbered | { state: 'taken' };

export interface ReportQueueOptions<E> {
  /**
   * Sends consecutive entries, without retries. Redis accepts each number once.
   * @param first number of the first entry
   * @param skip whether the numbers before it are lost for good
   */
  send: (entries: readonly E[], first: number, skip: boolean) => Promise<Sent>;
  /** Publishes the beginning of the attempt if Redis has lost it. May fail temporarily. */
  begin: () => Promise<unknown>;
  /**
   * Called with the number of lost entries when Redis accepts entries again: it lost them, or could not accept them.
   */
  onMissing: (count: number) => void;
  /** Called with the error of a failed call, once for consecutive failures. */
  warn: (message: string) => void;
}

interface Waiting<E> {
  entry: E;
  bytes: number;
  onDone: (() => void) | undefined;
}

/**
 * Delivers the reports of one run to Redis, each once and in order. Entries are numbered, kept until Redis has
 * acknowledged them, and sent again after temporary errors. Only one call is pending at a time.
 */
export class ReportQueue<E> {
  /** Entries that Redis has accepted recently, followed by those it has not. */
  private entries: Waiting<E>[] = [];
  /** Number of the first entry in `entries`. */
  private base = 1;
  /** How many of `entries` Redis has. */
  private taken = 0;
  private takenBytes = 0;
  private skip = false;
  /** Number of lost entries that are not reported yet. */
  private lost = 0;
  private pumping: Promise<void> | undefined;
  private isClosed = false;
  private onClose!: () => void;
  private readonly closed = new Promise<void>((resolve) => {
    this.onClose = resolve;
  });

  constructor(private readonly options: ReportQueueOptions<E>) {}

  /** @param onDone called once Redis has the entry, or the queue was closed */
  put(entry: E, bytes: number, onDone?: () => void): void {
    if (this.isClosed) return onDone?.();
    this.entries.push({ entry, bytes, onDone });
    this.pumping ??= this.pump();
  }

  /** Resolves when Redis has all entries, or the queue was closed. */
  async delivered(): Promise<void> {
    // A call that is pending when the queue is closed may take long to return.
    while (this.pumping && !this.isClosed) await Promise.race([this.pumping, this.closed]);
  }

  /** Discards the entries that Redis does not have yet. */
  close(): void {
    this.isClosed = true;
    this.onClose();
    const left = this.entries.splice(this.taken);
    for (const { onDone } of left) onDone?.();
  }

  private async pump(): Promise<void> {
    let tries = 0;
    // Entries that are added in the same turn are sent together.
    await undefined;
    while (this.taken < this.entries.length) {
      const batch = this.nextBatch();
      const first = this.base + this.taken;
      try {
        const reply = await this.options.send(
          batch.map(({ entry }) => entry),
          first,
          this.skip,
        );
        if (reply.state === 'unbegun') {
          await this.options.begin();
          await this.pause(tries++);
          continue;
        }
        tries = 0;
        this.applyReply(reply, batch.length);
      } catch (error) {
        if (this.isClosed) break;
        if (tries === 0) this.options.warn(`could not publish a report: ${error}`);
        // A permanent error would block all entries that follow.
        if (!isRedisFault(error)) this.giveUp(batch.length);
        await this.pause(tries++);
      }
    }
    this.pumping = undefined;
  }

  private nextBatch(): Waiting<E>[] {
    const from = this.taken;
    let to = from;
    let bytes = 0;
    while (to < this.entries.length && to - from < ROW_EVENTS) {
      // biome-ignore lint/style/noNonNullAssertion: `to` is less than the length
      bytes += this.entries[to]!.bytes;
      if (to > from && bytes > ROW_CHARACTERS) break;
      to++;
    }
    return this.entries.slice(from, to);
  }

  private applyReply(reply: Exclude<Sent, { state: 'unbegun' }>, sent: number): void {
    if (this.isClosed) return;
    if (reply.state === 'refused') return this.close();
    if (reply.state === 'taken') {
      this.skip = false;
      this.advance(sent);
      const { lost } = this;
      this.lost = 0;
      if (lost > 0) this.options.onMissing(lost);
      return;
    }
    const next = reply.last + 1;
    if (next >= this.base) return this.goBack(next - this.base);
    this.skip = true;
    this.goBack(0);
    this.lost += this.base - next;
  }

  /** Marks the next `count` entries as accepted by Redis. */
  private advance(count: number): void {
    for (let i = this.taken; i < this.taken + count; i++) {
      // biome-ignore lint/style/noNonNullAssertion: Redis accepts only entries that were sent
      const entry = this.entries[i]!;
      this.takenBytes += entry.bytes;
      // An entry may be sent again after Redis has lost it, but `onDone` is called once.
      const { onDone } = entry;
      entry.onDone = undefined;
      onDone?.();
    }
    this.taken += count;
    this.trimHistory();
  }

  /** Trims many entries at a time, because shifting a long array is slow. */
  private trimHistory(): void {
    if (this.taken <= 2 * HISTORY_ENTRIES && this.takenBytes <= 2 * HISTORY_BYTES) return;
    let old = 0;
    while (this.taken - old > HISTORY_ENTRIES || this.takenBytes > HISTORY_BYTES) {
      // biome-ignore lint/style/noNonNullAssertion: `takenBytes` counts only entries that are still here
      this.takenBytes -= this.entries[old++]!.bytes;
    }
    this.entries.splice(0, old);
    this.base += old;
    this.taken -= old;
  }

  /** Redis has lost entries: only the first `count` of `entries` are left. */
  private goBack(count: number): void {
    this.taken = count;
    this.takenBytes = this.entries.slice(0, count).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  private giveUp(count: number): void {
    this.advance(count);
    this.skip = true;
    this.lost += count;
  }

  private async pause(tries: number): Promise<void> {
    await sleep(retryWaitMs(tries), undefined, { ref: false });
  }
}
