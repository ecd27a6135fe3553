import { span } from '../terminal/units.js';
import { type Finding, ok, warning } from './finding.js';

const LIMIT_MS = 1000;

/**
 * Compares another clock with that of this machine.
 * @param by how far the other clock is ahead, in ms
 * @param exactness the measurement error, in ms
 */
export function compareClock(check: string, by: number, exactness: number): Finding {
  const size = Math.abs(by);
  const direction = by > 0 ? 'ahead of' : 'behind';
  if (size <= LIMIT_MS + exactness) {
    return ok(check, size <= exactness ? 'in sync' : `${span(size)} ${direction} this machine`);
  }
  return warning(
    check,
    `${span(size)} ${direction} this machine`,
    'Synchronize both with NTP: jobs, schedules and tokens use the clock of Redis.',
  );
}
