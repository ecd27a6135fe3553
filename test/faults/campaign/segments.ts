import type { Seen } from './records.js';

/** What a viewer saw between two resets. After a reset the log begins again, and nothing from before it counts. */
export function segmentsOf(seen: readonly Seen[]): Seen[][] {
  const segments: Seen[][] = [[]];
  for (const event of seen) {
    if (event.event === 'reset') segments.push([]);
    else segments.at(-1)!.push(event);
  }
  return segments;
}

/** The event that ends a job's stream. */
export const isEnd = (event: string): boolean => ['completed', 'failed', 'cancelled'].includes(event);
