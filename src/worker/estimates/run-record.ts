import { MARKS, type PastRun } from '../../shared/estimates/past-runs.js';

/** Records how one run proceeds. Times are in ms since its start. */
export class RunRecord {
  /** When the run left 0 %, and when it reached each of `MARKS` so far. */
  private readonly times: number[] = [];
  private total: number | undefined;
  private last = { percent: 0, ms: 0 };

  add(percent: number | null, total: number | undefined, ms: number): void {
    this.total ??= total || undefined;
    if (percent === null) return;
    const { last, times } = this;
    if (percent > last.percent) {
      if (times.length === 0) times.push(last.ms);
      const msPerPercent = (ms - last.ms) / (percent - last.percent);
      for (let mark = this.next(); mark !== undefined && mark <= percent; mark = this.next()) {
        times.push(last.ms + (mark - last.percent) * msPerPercent);
      }
    }
    last.percent = percent;
    last.ms = ms;
  }

  /** Returns the run that has just completed. */
  end(ms: number): PastRun {
    const { times, total } = this;
    const marks =
      times.length === 0
        ? []
        : // A job need not report 100 %.
          Array.from({ length: MARKS.length + 1 }, (_, i) => Math.min((times[i] ?? ms) / ms, 1));
    return { ms, ...(total === undefined ? {} : { total }), marks };
  }

  private next(): number | undefined {
    return MARKS[this.times.length - 1];
  }
}
