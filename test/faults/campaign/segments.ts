import type { Seen } from './records.js';

/** The events of a viewer between two resets. Each reset begins a new segment. */
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
