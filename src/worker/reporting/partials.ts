import { serverNow } from '../../shared/redis/server-clock.js';
import { toJson } from './json.js';

const MAX_BYTES = 64 * 1024;

export interface PartialsOptions {
  jobId: string;
  attempt: number;
  /** Chunks that come within this many ms are joined to one event; 0 joins none. */
  intervalMs: number;
  /** The chunks of the attempt are at most this long together, as JSON. */
  maxBytes: number;
  /** Publishes one `partial` event, its data as JSON. */
  publish: (json: string) => void;
}

/**
 * The partial result of one attempt: chunks in order, joined to events on the leading and the trailing edge of each
 * interval. Unlike progress none is ever left out.
 */
export class Partials {
  private readonly head: string;
  /** The number of the next chunk. */
  private count = 0;
  private totalBytes = 0;
  /** Chunks that wait for the end of the interval: all text, or none. */
  private texts: string[] = [];
  private values: string[] = [];
  private waitingBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private lastPublish = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: PartialsOptions) {
    this.head = `"jobId":${JSON.stringify(options.jobId)},"attempt":${options.attempt}`;
  }

  /**
   * @throws TypeError for a chunk without a JSON form
   * @throws RangeError for a chunk that is too large, or when the attempt has given too much
   */
  add(chunk: unknown): void {
    const json = toJson(chunk, 'partial(): the chunk', MAX_BYTES);
    const { maxBytes, intervalMs } = this.options;
    if (this.totalBytes + json.bytes > maxBytes) {
      throw new RangeError(
        `partial(): the partial result of an attempt has at most ${maxBytes} bytes (PARTIAL_MAX_BYTES)`,
      );
    }
    this.totalBytes += json.bytes;
    const isText = typeof chunk === 'string';
    const ofOtherKind = isText ? this.values.length > 0 : this.texts.length > 0;
    // One more for the comma between.
    if (ofOtherKind || this.waitingBytes + json.bytes + 1 > MAX_BYTES) this.publish();
    if (isText) this.texts.push(chunk);
    else this.values.push(json.text);
    this.waitingBytes += json.bytes + 1;
    this.count++;

    const wait = this.lastPublish + intervalMs - performance.now();
    // The timer may be late: while a job does not yield, only its own calls tell the time.
    if (wait <= 0) this.publish();
    else this.timer ??= setTimeout(this.publish, wait);
  }

  /** Publishes what waits. */
  finish(): void {
    this.publish();
  }

  /** Publishes nothing more. */
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
    // Not the wall clock, which may be put back.
    this.lastPublish = performance.now();
    const index = this.count - waiting;
    this.options.publish(`{${this.head},"index":${index},${content},"at":${serverNow()}}`);
  };
}
