import { span } from '../terminal/units.js';
import { type Finding, ok, warning } from './finding.js';

const LIMIT_MS = 1000;

/** How far another clock is from ours. @param by ms that it is ahead @param exactness ms that it cannot be known better than */
export function differs(check: string, by: number, exactness: number): Finding {
  const size = Math.abs(by);
  if (size <= LIMIT_MS + exactness)
    return ok(check, size <= exactness ? 'as here' : `${span(size)} from here`);
  return warning(
    check,
    `${span(size)} ${by > 0 ? 'ahead of' : 'behind'} this machine`,
    'Set both by NTP: jobs, schedules and tokens go by the clock of Redis.',
  );
}
