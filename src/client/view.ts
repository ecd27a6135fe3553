import type { ProblemError } from './errors.js';
import type { Status } from './stream.js';
import type { ChannelEvent, JobError, JobEvent, JobEventData, JobState, Progress } from './types.js';

/** A job as a viewer sees it: the result of its events so far. Immutable. */
export interface WatchedJob<R = unknown> {
  id: string;
  /** The job's kind; empty before the first event. */
  name: string;
  /** `unknown` before the first event. */
  state: JobState | 'unknown';
  /** The state of the connection. `stale`: what is shown may be outdated. */
  status: Status;
  /** 0 to 100; `null` while unknown. */
  percent: number | null;
  progress: Progress | undefined;
  attempt: number;
  /** Maximum number of attempts. */
  attempts: number;
  /** The newest lines of the job's log, at most 500. */
  logs: ReadonlyArray<JobEventData['log']>;
  /** The text of the partial result of this attempt. */
  text: string;
  result: R | undefined;
  /** Why the job failed, or why its last attempt did. */
  error: JobError | undefined;
  /** The job has not started, and its queue is paused. */
  paused: boolean;
  /** The job has not started, and no worker serves its queue. */
  noWorker: boolean;
  /** Cancellation was requested, and the job has not ended yet. */
  cancelling: boolean;
  /** How many jobs are taken before this one, which waits; `undefined` if that is unknown. */
  position: number | undefined;
  /** There are at least `position` jobs before it. */
  orMore: boolean;
  /** When a delayed job or the next attempt is due, ms since 1970. */
  nextAt: number | undefined;
  /** Why the job cannot be watched. */
  problem: ProblemError | undefined;
}

const MAX_LOGS = 500;

export const emptyJob = <R = unknown>(id: string): WatchedJob<R> => ({
  id,
  name: '',
  state: 'unknown',
  status: 'connecting',
  percent: null,
  progress: undefined,
  attempt: 0,
  attempts: 1,
  logs: [],
  text: '',
  result: undefined,
  error: undefined,
  paused: false,
  noWorker: false,
  cancelling: false,
  position: undefined,
  orMore: false,
  nextAt: undefined,
  problem: undefined,
});

/** The state at the start of an attempt. */
const FRESH = {
  percent: null,
  progress: undefined,
  text: '',
  error: undefined,
  result: undefined,
  nextAt: undefined,
  noWorker: false,
  cancelling: false,
  position: undefined,
  orMore: false,
};

const NOT_WAITING = { paused: false, noWorker: false, cancelling: false, position: undefined, orMore: false };

/** Applies an event to a job and returns the changed job. Pure. */
export function applyJobEvent<R>(job: WatchedJob<R>, { event, data }: JobEvent<R>): WatchedJob<R> {
  if (event === 'reset') return { ...emptyJob<R>(job.id), name: job.name, status: job.status };
  const known = { ...job, attempt: data.attempt, name: 'name' in data ? data.name : job.name };
  switch (event) {
    case 'progress':
      return { ...known, progress: data, percent: data.percent };
    case 'queue':
      return {
        ...known,
        paused: data.paused,
        noWorker: data.noWorker === true,
        cancelling: data.cancelling === true,
        position: data.position,
        orMore: data.orMore === true,
      };
    case 'log':
      return { ...known, logs: [...job.logs, data].slice(-MAX_LOGS) };
    case 'partial':
      return { ...known, text: (data.attempt > job.attempt ? '' : job.text) + (data.text ?? '') };
    case 'waiting':
      return { ...known, ...FRESH, state: event };
    case 'delayed':
      return { ...known, ...FRESH, state: event, nextAt: data.until };
    case 'active':
      return { ...known, ...FRESH, state: event, attempts: data.attempts, paused: false };
    case 'retrying':
      return {
        ...known,
        state: event,
        attempts: data.attempts,
        error: data.error,
        nextAt: data.nextAttemptAt,
      };
    case 'stalled':
      return { ...known, state: event };
    case 'completed':
      return {
        ...known,
        state: event,
        ...NOT_WAITING,
        error: undefined,
        percent: 100,
        result: data.result,
      };
    case 'failed':
      return { ...known, state: event, ...NOT_WAITING, error: data.error };
    case 'cancelled':
      return { ...known, state: event, ...NOT_WAITING };
    default:
      return known;
  }
}

/** Returns the job with a new connection state. Without a live connection there is no remaining time. */
export function withStatus<R>(job: WatchedJob<R>, status: Status): WatchedJob<R> {
  if (status !== 'stale' || job.progress?.etaMs === undefined) return { ...job, status };
  const { etaMs: _old, ...progress } = job.progress;
  return { ...job, status, progress };
}

/** Whether the bar is indeterminate: the job is running, and its progress is unknown. */
export const isIndeterminate = ({ state, percent }: Pick<WatchedJob, 'state' | 'percent'>): boolean =>
  state === 'active' && percent === null;

/** How much of the bar is filled, 0 to 1. Without progress the bar is empty. */
export const fillOf = ({ percent }: Pick<WatchedJob, 'percent'>): number => (percent ?? 0) / 100;

/**
 * Whether to show an attempt together with the maximum, as in "Attempt 2 of 3". A job that was retried by hand or lost its
 * worker can exceed the maximum.
 */
export const isPlanned = (attempt: number, attempts: number): boolean =>
  attempt > 0 && attempt <= attempts && attempts > 1;

/** Channels as a viewer sees them. Immutable. */
export interface WatchedChannel<T = unknown> {
  /** The newest events, oldest first, as many as the store keeps. */
  events: ReadonlyArray<ChannelEvent<T>>;
  /** The newest event. */
  last: ChannelEvent<T> | undefined;
  /** The state of the connection. */
  status: Status;
  /** Why the channels cannot be watched. */
  problem: ProblemError | undefined;
}

export const emptyChannel = <T = unknown>(): WatchedChannel<T> => ({
  events: [],
  last: undefined,
  status: 'connecting',
  problem: undefined,
});
