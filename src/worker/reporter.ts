import type { ProgressUpdate } from '../shared/job.js';
import { createProgress, type ProgressData } from './progress.js';

const BULLMQ_INTERVAL_MS = 1000;
const MAX_IN_FLIGHT = 1000;

export interface ReporterOptions {
  jobId: string;
  attempt: number;
  stages?: Record<string, number> | undefined;
  /** At most one publish in this many ms; 0 publishes every update. */
  intervalMs: number;
  publish: (data: ProgressData) => Promise<unknown>;
  /** Tells BullMQ's own `job.progress`. */
  updateBullMq: (data: ProgressData) => Promise<unknown>;
  warn: (message: string) => void;
}

/**
 * Reports the progress of one attempt: coalesces updates so that a hot loop costs nearly nothing, publishes on
 * the leading and the trailing edge of each interval, and knows when all is out.
 */
export class Reporter {
  private readonly progress;
  private timer: NodeJS.Timeout | undefined;
  private dirty = false;
  private lastPublish = Number.NEGATIVE_INFINITY;
  private lastBullMq = Number.NEGATIVE_INFINITY;
  private bullMqBehind = false;
  private inFlight = 0;
  private onLanded: (() => void) | undefined;

  constructor(private readonly options: ReporterOptions) {
    this.progress = createProgress(options);
  }

  update(update: ProgressUpdate | number): void {
    const now = Date.now();
    const { changed, warning } = this.progress.update(update, now);
    if (warning) this.options.warn(warning);
    if (changed) this.changed(now);
  }

  stage(name: string, weight?: number): void {
    const now = Date.now();
    this.progress.stage(name, now, weight);
    this.changed(now);
  }

  /** Publishes what has not been published, and resolves when Redis has all of it. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.dirty) this.publish(Date.now());
    if (this.bullMqBehind) this.tellBullMq(this.progress.snapshot(Date.now()), Date.now());
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.onLanded = resolve));
  }

  /** Publishes nothing more. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dirty = false;
  }

  private changed(now: number): void {
    this.dirty = true;
    if (this.timer) return;
    const wait = this.lastPublish + this.options.intervalMs - now;
    const room = this.options.intervalMs === 0 ? MAX_IN_FLIGHT : 1;
    if (wait <= 0 && this.inFlight < room) this.publish(now);
    else this.timer = setTimeout(this.onTimer, Math.max(wait, 1));
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    // While Redis is slow or away one publish waits, not one per interval.
    if (this.dirty) this.changed(Date.now());
  };

  private publish(now: number): void {
    this.dirty = false;
    this.lastPublish = now;
    const data = this.progress.snapshot(now);
    this.track(this.options.publish(data));
    this.bullMqBehind = true;
    if (now - this.lastBullMq >= BULLMQ_INTERVAL_MS) this.tellBullMq(data, now);
  }

  private tellBullMq(data: ProgressData, now: number): void {
    this.lastBullMq = now;
    this.bullMqBehind = false;
    this.track(this.options.updateBullMq(data));
  }

  private track(sent: Promise<unknown>): void {
    this.inFlight++;
    sent.then(this.landed, this.lost);
  }

  private readonly landed = (): void => {
    if (--this.inFlight === 0) this.onLanded?.();
  };

  private readonly lost = (error: unknown): void => {
    this.options.warn(`progress could not be published: ${error}`);
    this.landed();
  };
}
