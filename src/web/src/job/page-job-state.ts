import type { JobEvent } from '../../../client/types.js';
import { words } from '../words';
import { isTile, type PictureTile } from './partial';

/** A child that failed or was cancelled. */
export interface FailedPart {
  id: string;
  name: string;
  reason: string;
}

/** What the page knows about a job and other viewers do not. Immutable. */
export interface PageJobState {
  /** The tiles of the picture that the current attempt is drawing. */
  tiles: ReadonlyArray<PictureTile>;
  /** How many children there are, and how many have ended. */
  parts: { ended: number; total: number } | undefined;
  /** The service reports at most 100. */
  failedParts: ReadonlyArray<FailedPart>;
  /** When this run was requested, and when it ended, ms since 1970 by the service's clock. */
  since: number | undefined;
  endedAt: number | undefined;
}

const EMPTY_ATTEMPT = { tiles: [], parts: undefined, failedParts: [] };
export const emptyState: PageJobState = { ...EMPTY_ATTEMPT, since: undefined, endedAt: undefined };

/**
 * Applies an event to a state and returns the changed state. Pure.
 * @param attempt the job's attempt before the event
 */
export function applyEvent(state: PageJobState, { event, data }: JobEvent, attempt: number): PageJobState {
  switch (event) {
    case 'reset':
      return emptyState;
    case 'waiting':
    case 'delayed': {
      // After an end, a new run begins. Between attempts, the run is the same.
      const before = state.endedAt === undefined ? state.since : undefined;
      return { ...emptyState, since: before ?? data.at };
    }
    case 'active':
      return { ...state, ...EMPTY_ATTEMPT, since: state.since ?? data.at, endedAt: undefined };
    case 'progress': {
      const { unit, current, total } = data;
      if (unit !== 'jobs' || current === undefined || total === undefined) return state;
      return { ...state, parts: { ended: current, total } };
    }
    case 'partial': {
      const tiles = (data.chunks ?? []).filter(isTile);
      if (data.attempt < attempt || tiles.length === 0) return state;
      return { ...state, tiles: data.attempt > attempt ? tiles : [...state.tiles, ...tiles] };
    }
    case 'child': {
      const reason = data.state === 'cancelled' ? words.job.partCancelled : data.error.message;
      const part = { id: data.childId, name: data.childName, reason };
      return { ...state, failedParts: [...state.failedParts, part] };
    }
    case 'completed': {
      // A job completes only after its children have ended. The last progress may have been skipped.
      const { parts } = state;
      return { ...state, parts: parts && { ...parts, ended: parts.total }, endedAt: data.at };
    }
    case 'failed':
    case 'cancelled':
      return { ...state, endedAt: data.at };
    default:
      return state;
  }
}
