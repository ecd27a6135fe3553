import type { ProgressUpdate } from '../../shared/jobs/definition.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { createProgress, type ProgressData } from './progress.js';

const BULLMQ_INTERVAL_MS = 1000;
const MAX_IN_FLIGHT = 1000;

export interface ProgressReporterOptions {
  jobId: string;
  attempt: number;
  stages?: Record<string, number> | undefined;
  /** Minimum time between two updates in ms; 0 publishes every update. */
  intervalMs: number;
  /**
   * Publishes an update. Returns a promise only if the caller should wait for it.
   * @param reports how many reports of the job have led to it
   */
  publish: (data: ProgressData, reports: number) => Promise<unknown> | undefined;
  /** Updates `job.progress` of BullMQ. */
  updateBullMq: (data: ProgressData) => Promise<unknown> | undefined;
  warn: (message: string) => void;
}

/**
 * Publishes the progress of one attempt. Coalesces updates, so that reporting in a hot loop is cheap, and publishes at
 * the leading and trailing edge of each interval. Intervals use a monotonic clock, because the system clock may be set
 * back.
 */
export class ProgressReporter {
  private readonly progress;
  private timer: NodeJS.Timeout | undefined;
  private dirty = false;
  /** Reports since the last published update. */
  private reports = 0;
  private lastPublish = Number.NEGATIVE_INFINITY;
  private lastBullMq = Number.NEGATIVE_INFINITY;
  private bullMqTimer: NodeJS.Timeout | undefined;
  private inFlight = 0;
  private onAllSent: (() => void) | undefined;

  constructor(private readonly options: ProgressReporterOptions) {
    this.progress = createProgress(options);
  }

  update(update: ProgressUpdate | number): void {
    const now = performance.now();
    this.reports++;
    const { changed, warning } = this.progress.update(update, now);
    if (warning) this.options.warn(warning);
    if (changed) this.changed(now);
  }

  stage(name: string, weight?: number): void {
    const now = performance.now();
    this.reports++;
    this.progress.stage(name, now, weight);
    this.changed(now);
  }

  /** Publishes the pending update, and resolves when Redis has all updates. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.dirty) this.publish(performance.now());
    if (this.bullMqTimer) this.updateBullMq();
    if (this.inFlight > 0) await new Promise<void>((resolve) => (this.onAllSent = resolve));
  }

  /** Discards the pending update. */
  stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.bullMqTimer);
    this.timer = this.bullMqTimer = undefined;
    this.dirty = false;
  }

  private changed(now: number): void {
    this.dirty = true;
    const wait = this.lastPublish + this.options.intervalMs - now;
    const room = this.options.intervalMs === 0 ? MAX_IN_FLIGHT : 1;
    // The timer may be late: while a job does not yield, only its own calls can check the time.
    if (wait <= 0 && this.inFlight < room) this.publish(now);
    else this.timer ??= setTimeout(this.onTimer, Math.max(wait, 1));
  }

  private readonly onTimer = (): void => {
    this.timer = undefined;
    // While Redis is slow or unreachable, only one update waits, not one per interval.
    if (this.dirty) this.changed(performance.now());
  };

  private publish(now: number): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.dirty = false;
    this.lastPublish = now;
    const data = this.progress.snapshot(serverNow());
    const { reports } = this;
    this.reports = 0;
    this.track(this.options.publish(data, reports));
    if (this.bullMqTimer) return;
    const wait = this.lastBullMq + BULLMQ_INTERVAL_MS - now;
    if (wait <= 0) this.updateBullMq(data);
    else this.bullMqTimer = setTimeout(this.onBullMqTimer, wait);
  }

  private readonly onBullMqTimer = (): void => this.updateBullMq();

  private updateBullMq(data: ProgressData = this.progress.snapshot(serverNow())): void {
    clearTimeout(this.bullMqTimer);
    this.bullMqTimer = undefined;
    this.lastBullMq = performance.now();
    this.track(this.options.updateBullMq(data));
  }

  private track(sent: Promise<unknown> | undefined): void {
    if (!sent) return;
    this.inFlight++;
    sent.then(this.onSent, this.lost);
  }

  private readonly onSent = (): void => {
    if (--this.inFlight === 0) this.onAllSent?.();
  };

  private readonly lost = (error: unknown): void => {
    this.options.warn(`could not publish progress: ${error}`);
    this.onSent();
  };
}
