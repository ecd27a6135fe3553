import type { ProblemError } from './errors.js';
import type { Status } from './stream.js';
import type { ChannelEvent, JobError, JobEvent, JobEventData, JobState, Progress } from './types.js';

/** A job as its viewer sees it: what its events have told so far. Never changed, only replaced. */
export interface WatchedJob<R = unknown> {
  id: string;
  /** Its kind; empty until the first event. */
  name: string;
  /** `unknown` until the first event. */
  state: JobState | 'unknown';
  /** Of the connection. `stale`: what is shown may be old. */
  status: Status;
  /** 0 to 100; `null` while nobody can say. */
  percent: number | null;
  progress: Progress | undefined;
  attempt: number;
  /** Runs at most. */
  attempts: number;
  /** The newest lines of its log, 500 at most. */
  logs: ReadonlyArray<JobEventData['log']>;
  /** The text that it gave before its end, in this attempt. */
  text: string;
  result: R | undefined;
  /** Why it failed, or why its last attempt did. */
  error: JobError | undefined;
  /** It has yet to begin, and its queue is paused. */
  paused: boolean;
  /** It has yet to begin, and no worker runs for its kind. */
  noWorker: boolean;
  /** It was asked to stop, and has not ended yet. */
  cancelling: boolean;
  /** When a delayed job or the next attempt is due, ms since 1970. */
  nextAt: number | undefined;
  /** Why it cannot be watched. */
  problem: ProblemError | undefined;
}

const MAX_LOGS = 500;

export const unseenJob = <R = unknown>(id: string): WatchedJob<R> => ({
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
  nextAt: undefined,
  problem: undefined,
});

/** What an attempt starts with. */
const FRESH = {
  percent: null,
  progress: undefined,
  text: '',
  error: undefined,
  result: undefined,
  nextAt: undefined,
  noWorker: false,
  cancelling: false,
};

const NOT_WAITING = { paused: false, noWorker: false, cancelling: false };

/** A job after an event. Pure: the same events give the same job. */
export function applyJobEvent<R>(job: WatchedJob<R>, { event, data }: JobEvent<R>): WatchedJob<R> {
  if (event === 'reset') return { ...unseenJob<R>(job.id), name: job.name, status: job.status };
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

/** A job whose connection stands otherwise. What is not live has no remaining time. */
export function withStatus<R>(job: WatchedJob<R>, status: Status): WatchedJob<R> {
  if (status !== 'stale' || job.progress?.etaMs === undefined) return { ...job, status };
  const { etaMs: _old, ...progress } = job.progress;
  return { ...job, status, progress };
}

/** Channels as their viewer sees them. Never changed, only replaced. */
export interface WatchedChannel<T = unknown> {
  /** The newest events, oldest first, as many as are to be kept. */
  events: ReadonlyArray<ChannelEvent<T>>;
  /** The newest one. */
  last: ChannelEvent<T> | undefined;
  /** Of the connection. */
  status: Status;
  /** Why it cannot be watched. */
  problem: ProblemError | undefined;
}

export const unseenChannel = <T = unknown>(): WatchedChannel<T> => ({
  events: [],
  last: undefined,
  status: 'connecting',
  problem: undefined,
});
