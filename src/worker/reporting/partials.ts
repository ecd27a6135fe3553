import { serverNow } from '../../shared/redis/server-clock.js';
import { toJson } from './json.js';

const MAX_BYTES = 64 * 1024;

export interface PartialsOptions {
  jobId: string;
  attempt: number;
  /** Chunks within this many ms are joined into one event; 0 publishes each chunk. */
  intervalMs: number;
  /** Maximum size of all chunks of the attempt together, in bytes of JSON. */
  maxBytes: number;
  /** Publishes one `partial` event with this data (JSON). */
  publish: (json: string) => void;
}

/**
 * The partial result of one attempt: chunks in order, joined into events at the leading and trailing edge of each
 * interval. Unlike progress updates, no chunk is dropped.
 */
export class Partials {
  private readonly head: string;
  /** The number of the next chunk. */
  private count = 0;
  private totalBytes = 0;
  /** Chunks waiting for the end of the interval: either only texts or only other values. */
  private texts: string[] = [];
  private values: string[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private lastPublish = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PartialsOptions) {
    this.head = `"jobId":${JSON.stringify(options.jobId)},"attempt":${options.attempt}`;
  }

  /**
   * @throws TypeError if the chunk cannot be converted to JSON
   * @throws RangeError if the chunk, or all chunks of the attempt together, are too large
   */
  add(chunk: unknown): void {
    const json = toJson(chunk, 'partial(): the chunk', MAX_BYTES);
    const { maxBytes, intervalMs } = this.options;
    if (this.totalBytes + json.bytes > maxBytes) {
      throw new RangeError(
        `partial(): the partial result of an attempt is limited to ${maxBytes} bytes (PARTIAL_MAX_BYTES)`,
      );
    }
    this.totalBytes += json.bytes;
    const isText = typeof chunk === 'string';
    const kindChanges = isText ? this.values.length > 0 : this.texts.length > 0;
    // One byte more for the comma.
    if (kindChanges || this.waitingBytes + json.bytes + 1 > MAX_BYTES) this.publish();
    if (isText) this.texts.push(chunk);
    else this.values.push(json.text);
    this.waitingBytes += json.bytes + 1;
    this.count++;

    const wait = this.lastPublish + intervalMs - performance.now();
    // The timer may be late: while a job does not yield, only its own calls can check the time.
    if (wait <= 0) this.publish();
    else this.timer ??= setTimeout(this.publish, wait);
  }

  /** Publishes the waiting chunks. */
  finish(): void {
    this.publish();
  }

  /** Discards the waiting chunks. */
  stop(): void {
    clearTimeout(this.timer);
    this.texts = [];
    this.values = [];
  }

  private readonly publish = (): void => {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { texts, values } = this;
    const waiting = texts.length + values.length;
    if (waiting === 0) return;
    const content =
      texts.length > 0 ? `"text":${JSON.stringify(texts.join(''))}` : `"chunks":[${values.join(',')}]`;
    this.texts = [];
    this.values = [];
    this.waitingBytes = 0;
    // Not the system clock, which may be set back.
    this.lastPublish = performance.now();
    const index = this.count - waiting;
    this.options.publish(`{${this.head},"index":${index},${content},"at":${serverNow()}}`);
  };
}
