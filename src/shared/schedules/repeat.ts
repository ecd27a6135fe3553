import type { RepeatOptions } from 'bullmq';
import { cronDue } from './cron.js';

/**
 * When BullMQ's job scheduler makes its next run: in place of BullMQ's own reckoning, which leaves out runs where a clock
 * changes. For queues and workers alike, because the worker that takes a run makes the next one.
 * @param millis the run is later than this
 */
export function repeatStrategy(
  millis: number,
  { pattern, tz, startDate }: RepeatOptions,
): number | undefined {
  const start = startDate === undefined ? 0 : new Date(startDate).getTime();
  return cronDue(pattern!, tz ?? 'UTC', Math.max(millis, start) + 1);
}
