import type { RepeatOptions } from 'bullmq';
import { cronDue } from './cron.js';

/**
 * Returns the due time of the next run for BullMQ's job scheduler. Replaces BullMQ's own strategy, which skips runs at clock
 * changes. Queues and workers both need it, because the worker that takes a run creates the next one.
 * @param millis the run is due after this time
 */
export function repeatStrategy(
  millis: number,
  { pattern, tz, startDate }: RepeatOptions,
): number | undefined {
  if (pattern === undefined) return undefined;
  const start = startDate === undefined ? 0 : new Date(startDate).getTime();
  return cronDue(pattern, tz ?? 'UTC', Math.max(millis, start) + 1);
}
