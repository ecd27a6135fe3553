import { BoundedMap } from './bounded-map.js';

/** The window of the counts, in ms. */
export const WINDOW_MS = 60_000;
/** How many names a process counts in a minute. */
const REMEMBERED = 20_000;
/** Maximum number of names of a minute that the other processes learn: those that were counted last. */
const MAX_SHARED = 500;
/** Counts below this share of their maximum are not shared: most callers open few streams. */
const SHARED_FROM = 0.01;

/** The counts of a minute. */
interface Minute {
  counts: BoundedMap<number>;
  /** Those that the other processes learn. */
  shared: BoundedMap<number>;
}

/** How often something has happened. */
export interface Recent {
  /** In the present minute, and in the one before it. */
  present: number;
  previous: number;
  /** How much of the present minute has passed: from 0 to 1. */
  elapsed: number;
}

/**
 * Counts what happens in a process, by the minutes of the clock that all processes share. So the counts of several processes
 * can be added up, and a window of a minute is estimated from two minutes.
 */
export class RecentCounts {
  private minute = 0;
  private present = emptyMinute();
  private previous = emptyMinute();

  /** @param max the limit on the count, which decides when the other processes need to know of it */
  add(name: string, max: number, now: number): void {
    this.turn(now);
    const { counts, shared } = this.present;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (count >= max * SHARED_FROM) shared.set(name, count);
  }

  /** @param elsewhere the counts of the other processes, by the names of {@link entries} */
  of(name: string, elsewhere: (name: string) => number, now: number): Recent {
    this.turn(now);
    const { minute, present, previous } = this;
    return {
      present: (present.counts.get(name) ?? 0) + elsewhere(nameIn(minute, name)),
      previous: (previous.counts.get(name) ?? 0) + elsewhere(nameIn(minute - 1, name)),
      elapsed: Math.min(1, Math.max(0, now / WINDOW_MS - minute)),
    };
  }

  /** Returns the counts that the other processes need. The names contain the minute. */
  entries(now: number): Array<[string, number]> {
    this.turn(now);
    const { minute, present, previous } = this;
    const named = ({ shared }: Minute, of: number) =>
      [...shared].map(([name, count]): [string, number] => [nameIn(of, name), count]);
    return [...named(present, minute), ...named(previous, minute - 1)];
  }

  private turn(now: number): void {
    const minute = Math.floor(now / WINDOW_MS);
    // The clock is set back a little when it is measured again.
    if (minute === this.minute || minute === this.minute - 1) return;
    this.previous = minute === this.minute + 1 ? this.present : emptyMinute();
    this.present = emptyMinute();
    this.minute = minute;
  }
}

const emptyMinute = (): Minute => ({
  counts: new BoundedMap(REMEMBERED),
  shared: new BoundedMap(MAX_SHARED),
});

const nameIn = (minute: number, name: string): string => `${minute} ${name}`;
