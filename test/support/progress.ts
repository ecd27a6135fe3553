import { expect } from 'vitest';
import type { ReceivedEvent } from './sse.js';

/**
 * Checks that neither the attempt nor, within an attempt, the percentage goes back in the events of a viewer.
 * @returns the last attempt and its last percentage
 */
export function expectNoStepBack(events: ReceivedEvent[]): { attempt: number; percent: number } {
  let attempt = 0;
  let percent = 0;
  for (const { event, data } of events) {
    expect(data.attempt).toBeGreaterThanOrEqual(attempt);
    if (data.attempt > attempt) percent = 0;
    attempt = data.attempt;
    // A job that has reported nothing has no percentage, but may have a remaining time.
    if (event !== 'progress' || data.percent === null) continue;
    expect(data.percent).toBeGreaterThanOrEqual(percent);
    percent = data.percent;
  }
  return { attempt, percent };
}
