/** A number of units that are taken from a bucket. It holds `max` units, and is filled at `max` units per window. */
export interface Taking {
  units: number;
  max: number;
  windowMs: number;
}

/** What became of a taking. Times are in ms from now. */
export interface Taken {
  /** Whether there were enough units. If not, nothing was taken. */
  allowed: boolean;
  /** The number of units that are left. */
  remaining: number;
  /** When the same taking may succeed; 0 if it was allowed. */
  retryAfterMs: number;
  /** When the bucket is full again. */
  resetMs: number;
}

/**
 * Takes units from a bucket. A bucket is stored as the time at which it is full again (the "theoretical arrival time" of the
 * Generic Cell Rate Algorithm), so it needs no process that fills it. take.lua does the same in Redis.
 * @param fullAt when the bucket is full again; a time that has passed for a full one
 * @returns also the new `fullAt`
 */
export function takeFrom(
  fullAt: number,
  now: number,
  { units, max, windowMs }: Taking,
): Taken & { fullAt: number } {
  const unitMs = windowMs / max;
  const before = Math.max(fullAt, now);
  const after = Math.max(before + units * unitMs, now);
  const allowed = after - now <= windowMs;
  const then = allowed ? after : before;
  return {
    allowed,
    remaining: Math.max(0, Math.floor((windowMs - (then - now)) / unitMs + 1e-6)),
    retryAfterMs: allowed ? 0 : Math.ceil(after - now - windowMs),
    resetMs: Math.ceil(then - now),
    fullAt: then,
  };
}
