import { addToPace, emptyPace, type Pace, type Timing, timingOf } from '../../../client/pace.js';
import type { Progress } from '../../../client/types.js';
import type { ActiveJob } from '../../../shared/dashboard/views.js';

/** The pace of the job in a row, from the differences between frames. Times are those of the frames. */
export interface RowPace {
  pace: Pace;
  /** The job as of its last report. */
  job: ActiveJob;
  reportedAt: number;
}

export type RowPaces = ReadonlyMap<string, RowPace>;

const isSameReport = (a: ActiveJob, b: ActiveJob): boolean =>
  a.percent === b.percent &&
  a.current === b.current &&
  a.stage === b.stage &&
  a.etaMs === b.etaMs &&
  a.ratePerSecond === b.ratePerSecond &&
  a.message === b.message;

/** Updates the paces of all rows from a frame and returns them. Pure. @param at when the frame was created */
export function nextPaces(before: RowPaces, jobs: ReadonlyArray<ActiveJob>, at: number): RowPaces {
  return new Map(
    jobs.map((job) => {
      const old = before.get(job.id);
      const known = old?.job.attempt === job.attempt ? old : undefined;
      if (known && isSameReport(known.job, job)) return [job.id, known];
      const pace = known?.pace ?? { ...emptyPace, startedAt: job.startedAt };
      const data = { ...job, at } as unknown as Progress;
      return [job.id, { pace: addToPace(pace, { event: 'progress', data }), job, reportedAt: at }];
    }),
  );
}

/** Returns the times to show in a row. @param at when the newest frame was created */
export function rowTiming(row: RowPace | undefined, at: number): Timing {
  if (!row) return {};
  const { etaMs, ratePerSecond } = row.job;
  const reported = {
    at: row.reportedAt,
    ...(etaMs === undefined ? {} : { etaMs }),
    ...(ratePerSecond === undefined ? {} : { ratePerSecond }),
  };
  return timingOf(row.pace, reported, true, at);
}
