import type { Timing } from '../../shared/schedules/schedule.js';
import { nextDue } from '../../shared/schedules/timing.js';

/** How many runs are examined. A cron expression that has a short gap has it among fewer runs, unless it is very odd. */
const EXAMINED = 100;

/** Returns whether two runs of a schedule follow each other within less than `minMs`. */
export function hasShorterGap(timing: Timing, minMs: number, now: number): boolean {
  if (timing.everyMs !== undefined) return timing.everyMs < minMs;
  let due = nextDue(timing, now);
  for (let i = 0; i < EXAMINED && due !== undefined; i++) {
    const following = nextDue(timing, due);
    if (following !== undefined && following - due < minMs) return true;
    due = following;
  }
  return false;
}
