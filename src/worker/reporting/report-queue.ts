import { setTimeout as sleep } from 'node:timers/promises';
import { type Numbered, ROW_CHARACTERS, ROW_EVENTS } from '../../shared/channel/publisher.js';
import { isRedisFault } from '../../shared/redis/faults.js';
import { retryWaitMs } from '../../shared/redis/until-taken.js';

/** So much of what Redis has taken is kept, in case that it comes back without its last writes. */
const HISTORY_ENTRIES = 512;
const HISTORY_BYTES = 128 * 1024;

/** What became of a call. */
export type Sent = Numbered | { state: 'taken' };

export interface ReportQueueOptions<E> {
  /**
   * Sends entries in a row, one try. Redis takes each number once.
   * @param first the number of the first of them
   * @param skip whether the numbers before that are lost for good
   */
  send: (entries: readonly E[], first: number, skip: boolean) => Promise<Sent>;
  /** Has the beginning of the attempt published where Redis has lost it. May fail for the moment. */
  begin: () => Promise<unknown>;
  /** Hears how many entries are lost, once something gets through again: Redis lost them, or could never take them. */
  onMissing: (count: number) => void;
  /** Hears why something could not be sent, once for a row of failures. */
  warn: (message: string) => void;
}

interface Waiting<E> {
  entry: E;
  bytes: number;
  onTaken: (() => void) | undefined;
}

/**
 * What one run says on its way to Redis: numbered where it is made, kept until Redis has acknowledged it, sent again after
 * whatever can pass, and taken once. One call is under way at a time, so the order is that of `put`.
 */
export class ReportQueue<E> {
  /** What Redis has taken lately, then what it has not. */
  private entries: Waiting<E>[] = [];
  /** The number of the first of `entries`. */
  private base = 1;
  /** How many of `entries` Redis has. */
  private taken = 0;
  private takenBytes = 0;
  private skip = false;
  /** Entries that are lost, and of which that is still to be said: once something gets through again. */
  private lost = 0;
  private pumping: Promise<void> | undefined;
  private readonly closing = new AbortController();
  private readonly closed = new Promise<void>((resolve) => {
    this.closing.signal.addEventListener('abort', () => resolve(), { once: true });
  });

  constructor(private readonly options: ReportQueueOptions<E>) {}

  /** @param onTaken called once Redis has the entry, or the queue was closed */
  put(entry: E, bytes: number, onTaken?: () => void): void {
    if (this.closing.signal.aborted) return onTaken?.();
    this.entries.push({ entry, bytes, onTaken });
    this.pumping ??= this.pump();
  }

  /** Resolves when Redis has everything that was put, or the queue was closed. */
  async landed(): Promise<void> {
    // A call that is under way when the queue is closed may not come back for long.
    while (this.pumping && !this.closing.signal.aborted) await Promise.race([this.pumping, this.closed]);
  }

  /** Forgets what Redis does not have yet. */
  close(): void {
    this.closing.abort();
    const left = this.entries.splice(this.taken);
    for (const { onTaken } of left) onTaken?.();
  }

  private async pump(): Promise<void> {
    let tries = 0;
    // Entries that are put in the same turn go out together.
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
        if (this.closing.signal.aborted) break;
        if (tries === 0) this.options.warn(`a report could not be published: ${error}`);
        // Whatever cannot pass would stop all that follows.
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
      bytes += this.entries[to]!.bytes;
      if (to > from && bytes > ROW_CHARACTERS) break;
      to++;
    }
    return this.entries.slice(from, to);
  }

  private applyReply(reply: Exclude<Sent, { state: 'unbegun' }>, sent: number): void {
    if (this.closing.signal.aborted) return;
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

  /** Redis has so many more. */
  private advance(count: number): void {
    for (let i = this.taken; i < this.taken + count; i++) {
      const one = this.entries[i]!;
      this.takenBytes += one.bytes;
      // It may be sent again, after Redis has lost it; it is told once.
      const { onTaken } = one;
      one.onTaken = undefined;
      onTaken?.();
    }
    this.taken += count;
    this.trimHistory();
  }

  /** Now and then, and not one by one: to shift a long array costs its length. */
  private trimHistory(): void {
    if (this.taken <= 2 * HISTORY_ENTRIES && this.takenBytes <= 2 * HISTORY_BYTES) return;
    let old = 0;
    while (this.taken - old > HISTORY_ENTRIES || this.takenBytes > HISTORY_BYTES) {
      this.takenBytes -= this.entries[old++]!.bytes;
    }
    this.entries.splice(0, old);
    this.base += old;
    this.taken -= old;
  }

  /** Redis has lost what it had taken: only so many of `entries` are there. */
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
    const { signal } = this.closing;
    await sleep(retryWaitMs(tries), undefined, { signal, ref: false }).catch(() => {});
  }
}
