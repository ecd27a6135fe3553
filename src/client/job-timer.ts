import { addToPace, noPace, type Timing, timingOf } from './pace.js';
import type { Status } from './stream.js';
import type { JobEvent, Progress } from './types.js';

/** An event takes no longer than this from its process to the viewer, in ms. */
const TRAVEL_MS = 2000;
/** What a stream begins with, events that were stored, has come after this time, in ms. */
const REPLAY_MS = 1000;

/** Keeps the times of one job as its viewer sees it. */
export interface JobTimer {
  /** Takes each event of the job. */
  event(event: Pick<JobEvent, 'event' | 'data'>): void;
  /** Takes the state of the connection. */
  status(status: Status): void;
  /** The times to show now. */
  timing(): Timing;
}

/**
 * @param wall the viewer's clock, ms since 1970; it may be minutes off
 * @param even a clock that goes on evenly, ms
 */
export function createJobTimer(
  wall: () => number = Date.now,
  even: () => number = () => performance.now(),
): JobTimer {
  let pace = noPace;
  let progress: Progress | undefined;
  let running = false;
  let liveSince: number | undefined;
  /** The viewer's clock minus that of the worker. The two are taken to agree until an event shows that they do not. */
  let ahead = 0;

  /** No event comes from the future, and one that comes live not from long ago. */
  function setClock(at: number): void {
    const late = wall() - at;
    const live = liveSince !== undefined && even() - liveSince > REPLAY_MS;
    if (late < ahead || (live && late > ahead + TRAVEL_MS)) ahead = late;
  }

  return {
    event({ event, data }) {
      pace = addToPace(pace, { event, data } as JobEvent);
      switch (event) {
        case 'progress':
          progress = data as Progress;
          setClock(progress.at);
          break;
        case 'active':
          running = true;
          progress = undefined;
          break;
        case 'waiting':
        case 'delayed':
        case 'retrying':
        case 'stalled':
        case 'completed':
        case 'failed':
        case 'cancelled':
        case 'reset':
          running = false;
          progress = undefined;
      }
    },
    status(status) {
      if (status !== 'live') liveSince = undefined;
      else liveSince ??= even();
    },
    timing() {
      // Nobody can say whether a job moves while the connection is broken.
      const shown = liveSince === undefined ? undefined : progress;
      return timingOf(pace, shown, running, wall() - ahead);
    },
  };
}
