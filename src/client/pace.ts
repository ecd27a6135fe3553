import { isTerminal } from './topic.js';
import type { JobEvent, Progress } from './types.js';

/** What the times shown for a job are computed from. Times are ms since 1970 by the service's clock. Never changed, only replaced. */
export interface Pace {
  /** When this run of the job began: its first attempt, not a retry. */
  startedAt: number | undefined;
  endedAt: number | undefined;
  /** When its numbers last changed; `undefined` before the first ones. */
  movedAt: number | undefined;
  /** How far apart changes have been lately, in ms. */
  gapMs: number;
  /** The newest numbers, to be compared with the next ones. */
  reached: string | undefined;
}

export const noPace: Pace = {
  startedAt: undefined,
  endedAt: undefined,
  movedAt: undefined,
  gapMs: 0,
  reached: undefined,
};

const UNMOVED = { movedAt: undefined, gapMs: 0, reached: undefined };

/** A job that has not moved for this long may stand still, in ms. */
const STILL_MS = 5000;
/** One whose numbers change rarely stands still after this many of its usual gaps. */
const STILL_GAPS = 3;

/** The pace after an event. Pure: the same events give the same pace. */
export function addToPace(pace: Pace, { event, data }: Pick<JobEvent, 'event' | 'data'>): Pace {
  if (event === 'reset') return noPace;
  if (event === 'progress') return addProgress(pace, data as Progress);
  const { at } = data as { at: number };
  if (event === 'waiting' || event === 'delayed')
    // After an end another run begins; between attempts it is still the same run.
    return pace.endedAt === undefined ? { ...pace, ...UNMOVED } : noPace;
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
  // Until two changes have been seen, the reported rate tells how far apart they are.
  const expected = ratePerSecond ? 1000 / ratePerSecond : 0;
  const gap = pace.movedAt === undefined ? expected : at - pace.movedAt;
  return { ...pace, reached, movedAt: at, gapMs: Math.max(gap, pace.gapMs / 2) };
}

/** What can be said now of how long a job takes. Spans are in ms. */
export interface Timing {
  /** Since it began, or all it took once it has ended. */
  elapsedMs?: number;
  /** The estimate as it is now. An estimate that has passed is none. */
  etaMs?: number;
  ratePerSecond?: number;
  /** It runs, and its numbers have not changed for so long. There is no rate or estimate then. */
  stalledMs?: number;
}

/**
 * The times to show for a job at a moment.
 * @param running an attempt runs now
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
  if (still >= Math.max(STILL_MS, STILL_GAPS * gapMs)) return { ...elapsed, stalledMs: still };
  const { etaMs, ratePerSecond, at } = progress;
  const left = etaMs === undefined ? 0 : at + etaMs - now;
  return {
    ...elapsed,
    ...(left > 0 ? { etaMs: Math.min(left, etaMs!) } : {}),
    ...(ratePerSecond ? { ratePerSecond } : {}),
  };
}
