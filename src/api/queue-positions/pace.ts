import { type Position, WINDOW } from './read.js';
import type { UsualPace } from './usual-pace.js';

/** How long what was seen counts (after this time 1/e of it, in ms), and how many jobs must have been taken in it. */
const SHORT = { memoryMs: 30_000, minTaken: 10 };
const LONG = { memoryMs: 600_000, minTaken: 3 };
/** Before this time, nothing is said without earlier runs, in ms. */
const MIN_MS = 4000;
/** The usual pace counts like this many jobs that were seen to be taken. */
const USUAL_TAKEN = 10;
/** The least time until the next job is taken, as a share of the time between two: the running jobs take longer than usual. */
const LEAST_SHARE = 0.25;

/**
 * How fast a queue takes its jobs. It begins with the usual pace, if there is one, and is then measured by how fast watched jobs
 * move up, so it includes everything that slows the queue down: failures, slow machines, a new release.
 */
export class QueuePace {
  private readonly short = { ...SHORT, taken: 0, ms: 0 };
  private readonly long = { ...LONG, taken: 0, ms: 0 };
  private last: { at: number; positions: ReadonlyMap<string, Position> } | undefined;
  /** When a job was last taken, or the queue was first looked at. */
  private movedAt = 0;
  private hasMoved = false;

  /** Records the positions of the watched jobs. @param now ms of a monotonic clock */
  add(positions: ReadonlyMap<string, Position>, now: number): void {
    const { last } = this;
    this.last = { at: now, positions };
    if (!last) {
      this.movedAt = now;
      return;
    }
    let most: number | undefined;
    for (const [jobId, position] of positions) {
      const earlier = last.positions.get(jobId);
      if (!earlier || !isExact(earlier) || !isExact(position)) continue;
      // A job that was put in front of the others moves all of them back.
      most = Math.max(most ?? 0, earlier.before - position.before);
    }
    // Without a job that still waits, it is unknown how many were taken.
    if (most !== 0) this.movedAt = now;
    if (most === undefined) return;
    if (most > 0) this.hasMoved = true;
    const elapsed = now - last.at;
    for (const count of [this.short, this.long]) {
      const fading = Math.exp(-elapsed / count.memoryMs);
      count.taken = count.taken * fading + most;
      count.ms = count.ms * fading + elapsed;
    }
  }

  /**
   * Returns in how many ms a job begins; `undefined` if that cannot be said.
   * @param usual how fast the queue usually takes its jobs, if that is known
   */
  beginsIn(position: Position, usual?: UsualPace): number | undefined {
    // Jobs that come later may overtake a prioritized one.
    if (!isExact(position)) return undefined;
    const { before } = position;
    if (usual) {
      const msPerJob = this.blended(usual);
      return Math.round(before * msPerJob + this.untilNext(msPerJob, usual.slots));
    }
    const count = [this.short, this.long].find(
      ({ taken, ms, minTaken }) => taken >= minTaken && ms >= MIN_MS,
    );
    return count && Math.round(((before + 1) * count.ms) / count.taken);
  }

  private blended({ msPerJob }: UsualPace): number {
    const { taken, ms } = this.long;
    return (USUAL_TAKEN * msPerJob + ms) / (USUAL_TAKEN + taken);
  }

  /**
   * Returns the time until the next job is taken, in ms. Until one was seen to be taken, it is unknown how long the running
   * jobs have run.
   */
  private untilNext(msPerJob: number, slots: number): number {
    const whole = this.hasMoved ? msPerJob : (msPerJob * slots) / (slots + 1);
    const waited = this.last ? this.last.at - this.movedAt : 0;
    return Math.max(whole - waited, LEAST_SHARE * msPerJob);
  }
}

const isExact = ({ before, prioritized }: Position): boolean => before < WINDOW && !prioritized;
