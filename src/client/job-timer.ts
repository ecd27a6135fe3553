import { addToPace, emptyPace, type Timing, timingOf } from './pace.js';
import type { Status } from './stream.js';
import type { JobEvent, JobEventData, Progress } from './types.js';

/** The longest time that an event takes from its process to the viewer, in ms. */
const TRAVEL_MS = 2000;
/** The time within which a new stream has delivered its stored events, in ms. */
const REPLAY_MS = 1000;

/** Computes the times to show for one job. */
export interface JobTimer {
  /** Call it with each event of the job. */
  event(event: Pick<JobEvent, 'event' | 'data'>): void;
  /** Call it when the state of the connection changes. */
  status(status: Status): void;
  /** Returns the times to show now. */
  timing(): Timing;
}

/**
 * @param wall the viewer's clock, ms since 1970; may be minutes off
 * @param even a monotonic clock, in ms
 */
export function createJobTimer(
  wall: () => number = Date.now,
  even: () => number = () => performance.now(),
): JobTimer {
  let pace = emptyPace;
  let progress: Progress | undefined;
  let running = false;
  /** When a waiting job begins, ms since 1970 by the service's clock. */
  let beginsAt: number | undefined;
  let liveSince: number | undefined;
  /** The viewer's clock minus the worker's, in ms. The clocks count as equal until an event shows otherwise. */
  let ahead = 0;

  /** Corrects the clock difference: no event comes from the future, and no live event from long ago. */
  function setClock(at: number): void {
    const late = wall() - at;
    const live = liveSince !== undefined && even() - liveSince > REPLAY_MS;
    if (late < ahead || (live && late > ahead + TRAVEL_MS)) ahead = late;
  }

  return {
    event({ event, data }) {
      pace = addToPace(pace, { event, data } as JobEvent);
      switch (event) {
        case 'queue': {
          const { at, beginsInMs } = data as JobEventData['queue'];
          beginsAt = beginsInMs === undefined ? undefined : at + beginsInMs;
          setClock(at);
          break;
        }
        case 'progress':
          progress = data as Progress;
          setClock(progress.at);
          break;
        case 'active':
          running = true;
          progress = beginsAt = undefined;
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
          progress = beginsAt = undefined;
      }
    },
    status(status) {
      if (status !== 'live') liveSince = undefined;
      else liveSince ??= even();
    },
    timing() {
      // Without a connection it is unknown whether the job makes progress.
      const shown = liveSince === undefined ? undefined : progress;
      const now = wall() - ahead;
      const times = timingOf(pace, shown, running, now);
      const beginsInMs = liveSince === undefined || beginsAt === undefined ? 0 : beginsAt - now;
      return beginsInMs > 0 ? { ...times, beginsInMs } : times;
    },
  };
}
