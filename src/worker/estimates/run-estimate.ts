import type { ProgressData } from '../../shared/jobs/events/progress.js';
import { Estimator } from './estimator.js';
import type { RunHistory } from './run-history.js';
import { RunRecord } from './run-record.js';

/** How long a run may be silent before its first estimate is published, in ms. Brief jobs publish nothing more than before. */
const SILENT_MS = 1000;
/** A shorter remaining time is not worth an event of its own, in ms. */
const MIN_LEFT_MS = 2000;

/** The remaining time of one run. Recorded at its end for the next ones. */
export class RunEstimate {
  private readonly record = new RunRecord();
  private estimator: Estimator | undefined;
  private startedAt = 0;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param name the kind
   * @param publish called with the remaining time in ms if the run is silent and earlier runs say how long it takes
   */
  constructor(
    private readonly history: RunHistory,
    private readonly name: string,
    private readonly publish: (etaMs: number) => void,
  ) {}

  /** Called right before the code of the job runs. */
  start(): void {
    this.startedAt = performance.now();
    this.estimator = new Estimator(this.history.forecast(this.name));
    if ((this.estimator.left(0) ?? 0) < SILENT_MS + MIN_LEFT_MS) return;
    this.timer = setTimeout(() => {
      const left = this.left(performance.now() - this.startedAt);
      if (left !== undefined && left >= MIN_LEFT_MS) this.publish(left);
    }, SILENT_MS).unref();
  }

  /** Adds the remaining time to reported progress, and returns it. */
  apply(data: ProgressData): ProgressData {
    if (this.timer) this.stop();
    const { estimator } = this;
    if (!estimator) return data;
    const ms = performance.now() - this.startedAt;
    estimator.add(data.percent, data.total, ms);
    this.record.add(data.percent, data.total, ms);
    const etaMs = this.left(ms);
    if (etaMs !== undefined) data.etaMs = etaMs;
    return data;
  }

  /** Called when the run has ended, however it did. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Called when the run has completed. */
  completed(): void {
    this.stop();
    if (this.estimator) this.history.add(this.name, this.record.end(performance.now() - this.startedAt));
  }

  /** @param ms the time since the start */
  private left(ms: number): number | undefined {
    const left = this.estimator?.left(ms);
    return left !== undefined && left <= Number.MAX_SAFE_INTEGER ? Math.round(left) : undefined;
  }
}
