import type { JobEvent } from '../../../client/types.js';
import { isTile, type PictureTile } from './partial';

/** A child that came to no good end. */
export interface FailedPart {
  id: string;
  name: string;
  words: string;
}

/** What the page knows of a job beyond what every viewer does. Never changed, only replaced. */
export interface MoreOfJob {
  /** Of a picture that the present attempt is making. */
  tiles: ReadonlyArray<PictureTile>;
  /** How many children there are, and how many of them have ended. */
  parts: { ended: number; total: number } | undefined;
  /** The service tells of 100 at most. */
  failedParts: ReadonlyArray<FailedPart>;
  /** When this run was asked for, and when it ended, ms since 1970 by the service's clock. */
  since: number | undefined;
  endedAt: number | undefined;
}

const OF_ATTEMPT = { tiles: [], parts: undefined, failedParts: [] };
export const nothingMore: MoreOfJob = { ...OF_ATTEMPT, since: undefined, endedAt: undefined };

/**
 * What is known after an event. Pure: the same events give the same.
 * @param attempt the one that the job was in before the event
 */
export function addEvent(more: MoreOfJob, { event, data }: JobEvent, attempt: number): MoreOfJob {
  switch (event) {
    case 'reset':
      return nothingMore;
    case 'waiting':
    case 'delayed': {
      // After an end it is another run; between attempts it is still the same.
      const before = more.endedAt === undefined ? more.since : undefined;
      return { ...nothingMore, since: before ?? data.at };
    }
    case 'active':
      return { ...more, ...OF_ATTEMPT, since: more.since ?? data.at, endedAt: undefined };
    case 'progress': {
      const { unit, current, total } = data;
      if (unit !== 'jobs' || current === undefined || total === undefined) return more;
      return { ...more, parts: { ended: current, total } };
    }
    case 'partial': {
      const tiles = (data.chunks ?? []).filter(isTile);
      if (data.attempt < attempt || tiles.length === 0) return more;
      return { ...more, tiles: data.attempt > attempt ? tiles : [...more.tiles, ...tiles] };
    }
    case 'child': {
      const words = data.state === 'cancelled' ? 'was cancelled' : data.error.message;
      const part = { id: data.childId, name: data.childName, words };
      return { ...more, failedParts: [...more.failedParts, part] };
    }
    case 'completed': {
      // No job completes before its children have ended; the progress that said so may have been passed over.
      const { parts } = more;
      return { ...more, parts: parts && { ...parts, ended: parts.total }, endedAt: data.at };
    }
    case 'failed':
    case 'cancelled':
      return { ...more, endedAt: data.at };
    default:
      return more;
  }
}
