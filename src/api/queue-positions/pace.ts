import { type Position, WINDOW } from './read.js';

/** How long what was seen counts (after this time 1/e of it, in ms), and how many jobs must have been taken in it. */
const WINDOWS = [
  { memoryMs: 30_000, minTaken: 10 },
  { memoryMs: 600_000, minTaken: 3 },
];
/** Before this time, nothing is said, in ms. */
const MIN_MS = 4000;

/**
 * How fast a queue takes its jobs. It is measured by how fast watched jobs move up, so it includes everything that slows the
 * queue down: a rate limit, few workers, long jobs.
 */
export class QueuePace {
  private readonly counts = WINDOWS.map((window) => ({ ...window, taken: 0, ms: 0 }));
  private last: { at: number; positions: ReadonlyMap<string, Position> } | undefined;

  /** Records the positions of the watched jobs. @param now ms of a monotonic clock */
  add(positions: ReadonlyMap<string, Position>, now: number): void {
    const { last } = this;
    this.last = { at: now, positions };
    if (!last) return;
    let most: number | undefined;
    for (const [jobId, position] of positions) {
      const earlier = last.positions.get(jobId);
      if (!earlier || !isExact(earlier) || !isExact(position)) continue;
      // A job that was put in front of the others moves all of them back.
      most = Math.max(most ?? 0, earlier.before - position.before);
    }
    // Without a job that still waits, it is unknown how many were taken.
    if (most === undefined) return;
    const elapsed = now - last.at;
    for (const count of this.counts) {
      const fading = Math.exp(-elapsed / count.memoryMs);
      count.taken = count.taken * fading + most;
      count.ms = count.ms * fading + elapsed;
    }
  }

  /** Returns in how many ms a job begins; `undefined` if that cannot be said. */
  beginsIn(position: Position): number | undefined {
    // Jobs that come later may overtake a prioritized one.
    if (!isExact(position)) return undefined;
    const count = this.counts.find(({ taken, ms, minTaken }) => taken >= minTaken && ms >= MIN_MS);
    return count && Math.round(((position.before + 1) * count.ms) / count.taken);
  }
}

const isExact = ({ before, prioritized }: Position): boolean => before < WINDOW && !prioritized;
