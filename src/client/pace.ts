import { isTerminal } from './topic.js';
import type { JobEvent, Progress } from './types.js';

/** The data from which a job's times are computed. Times are ms since 1970 by the service's clock. Immutable. */
export interface Pace {
  /** When this run of the job started: its first attempt, not a retry. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** When the job's numbers last changed; `undefined` before the first numbers. */
  movedAt: number | undefined;
  /** The typical time between recent changes, in ms. */
  gapMs: number;
  /** The newest numbers, for comparison with the next ones. */
  reached: string | undefined;
}

export const emptyPace: Pace = {
  startedAt: undefined,
  endedAt: undefined,
  movedAt: undefined,
  gapMs: 0,
  reached: undefined,
};

const UNMOVED = { movedAt: undefined, gapMs: 0, reached: undefined };

/** The shortest time without a change after which a job counts as stalled, in ms. */
const STALLED_MS = 5000;
/** A job whose numbers rarely change counts as stalled after this many of its usual gaps. */
const STALLED_GAPS = 3;

/** Applies an event to a pace and returns the changed pace. Pure. */
export function addToPace(pace: Pace, { event, data }: Pick<JobEvent, 'event' | 'data'>): Pace {
  if (event === 'reset') return emptyPace;
  if (event === 'progress') return addProgress(pace, data as Progress);
  const { at } = data as { at: number };
  if (event === 'waiting' || event === 'delayed')
    // After an end, a new run begins. Between attempts, the run is the same.
    return pace.endedAt === undefined ? { ...pace, ...UNMOVED } : emptyPace;
  if (event === 'active') {
    const startedAt = pace.endedAt === undefined ? (pace.startedAt ?? at) : at;
    return { ...UNMOVED, startedAt, endedAt: undefined };
  }
  return isTerminal(event) ? { ...pace, endedAt: at } : pace;
}

function addProgress(pace: Pace, { percent, current, stage, ratePerSecond, at }: Progress): Pace {
  if (percent === null && current === undefined) return pace;
  const reached = `${percent} ${current} ${stage}`;
  if (reached === pace.reached) return pace;
  // Until there are two changes, the reported rate gives the time between them.
  const expected = ratePerSecond ? 1000 / ratePerSecond : 0;
  const gap = pace.movedAt === undefined ? expected : at - pace.movedAt;
  return { ...pace, reached, movedAt: at, gapMs: Math.max(gap, pace.gapMs / 2) };
}

/** The times to show for a job. Durations are in ms. */
export interface Timing {
  /** Since the job started, or the job's total time once it has ended. */
  elapsedMs?: number;
  /** The remaining time as of now. Absent once the estimate has passed. */
  etaMs?: number;
  ratePerSecond?: number;
  /** In how much time a waiting job begins. Absent once the estimate has passed. */
  beginsInMs?: number;
  /** How long a running job's numbers have not changed. Meanwhile, there is no rate or estimate. */
  stalledMs?: number;
}

/**
 * Returns the times to show for a job at a moment.
 * @param running whether an attempt is running
 * @param now the service's time, ms since 1970
 */
export function timingOf(
  { startedAt, endedAt, movedAt, gapMs }: Pace,
  progress: Pick<Progress, 'etaMs' | 'ratePerSecond' | 'at'> | undefined,
  running: boolean,
  now: number,
): Timing {
  const elapsed = startedAt === undefined ? {} : { elapsedMs: Math.max(0, (endedAt ?? now) - startedAt) };
  if (!running || !progress || endedAt !== undefined) return elapsed;
  const still = movedAt === undefined ? 0 : now - movedAt;
  if (still >= Math.max(STALLED_MS, STALLED_GAPS * gapMs)) return { ...elapsed, stalledMs: still };
  const { etaMs, ratePerSecond, at } = progress;
  const left = etaMs === undefined ? 0 : Math.min(etaMs, at + etaMs - now);
  return {
    ...elapsed,
    ...(left > 0 ? { etaMs: left } : {}),
    ...(ratePerSecond ? { ratePerSecond } : {}),
  };
}
