import type { JobEventData, JobState, Progress } from '../../../client/types.js';
import { addPartial, noPartial, type PartialResult } from './partial';

/** A line of a job's log. What a child came to is one too. */
export type LogLine = Pick<JobEventData['log'], 'level' | 'message' | 'at'>;

/** What the page knows of a job. */
export interface JobView {
  name: string;
  state: JobState | 'unknown';
  attempt: number;
  attempts: number;
  progress: Progress | undefined;
  logs: LogLine[];
  partial: PartialResult;
  result: unknown;
  error: string | undefined;
  /** It has yet to begin, and its queue is paused. */
  paused: boolean;
  /** When a delayed job or the next attempt is due, ms since the epoch. */
  nextAt: number | undefined;
}

/** The browser keeps this many lines. */
const MAX_LOGS = 500;

export const emptyJob = (): JobView => ({
  name: '',
  state: 'unknown',
  attempt: 0,
  attempts: 1,
  progress: undefined,
  logs: [],
  partial: noPartial(),
  result: undefined,
  error: undefined,
  paused: false,
  nextAt: undefined,
});

/** The events of a job's stream; the last three are terminal. */
export const jobEvents = [
  'waiting',
  'delayed',
  'active',
  'progress',
  'log',
  'partial',
  'queue',
  'child',
  'retrying',
  'stalled',
  'reset',
  'completed',
  'failed',
  'cancelled',
] as const;
export type JobEvent = (typeof jobEvents)[number];

export const isEnd = (state: string): boolean => ['completed', 'failed', 'cancelled'].includes(state);

// biome-ignore lint/suspicious/noExplicitAny: the data of any of the events
type EventData = any;

/** What a child came to, as a line of the log. */
const childLine = ({ childName, state, error, at }: EventData): LogLine => ({
  level: 'warn',
  message: `A child (${childName}) ${state === 'cancelled' ? 'was cancelled' : `failed: ${error.message}`}`,
  at,
});

/** The next view of a job after an event. Pure: the same events give the same view. */
export function applyEvent(job: JobView, event: JobEvent, data: EventData): JobView {
  const named = { ...job, name: data.name ?? job.name, attempt: data.attempt ?? job.attempt };
  switch (event) {
    case 'reset':
      return { ...emptyJob(), name: job.name };
    case 'progress':
      return { ...named, progress: data };
    case 'queue':
      return { ...named, paused: data.paused };
    case 'log':
      return { ...named, logs: [...job.logs, data as LogLine].slice(-MAX_LOGS) };
    case 'partial':
      return { ...named, partial: addPartial(job.partial, data) };
    case 'child':
      return { ...named, logs: [...job.logs, childLine(data)].slice(-MAX_LOGS) };
    case 'waiting':
      return { ...named, state: 'waiting', error: undefined, progress: undefined, partial: noPartial() };
    case 'delayed':
      return { ...named, state: 'delayed', nextAt: data.until };
    case 'active':
      return {
        ...named,
        state: 'active',
        paused: false,
        attempts: data.attempts ?? job.attempts,
        error: undefined,
        progress: undefined,
        partial: noPartial(data.attempt),
      };
    case 'retrying':
      return { ...named, state: 'retrying', error: data.error?.message, nextAt: data.nextAttemptAt };
    case 'stalled':
      return { ...named, state: 'stalled' };
    case 'completed':
      return { ...named, state: 'completed', paused: false, result: data.result, error: undefined };
    case 'failed':
      return { ...named, state: 'failed', paused: false, error: data.error?.message };
    case 'cancelled':
      return { ...named, state: 'cancelled', paused: false };
  }
}
