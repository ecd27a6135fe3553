import { amount, elapsed, roughly } from './format.js';
import type { Timing } from './pace.js';
import type { WatchedJob } from './view.js';

/** A job's state, in a word or two; empty if there is no job yet. */
export function stateLabel({ id, state, paused, noWorker, cancelling, problem }: WatchedJob): string {
  if (problem) return problem.status === 404 || problem.status === 410 ? 'Not found' : "Can't load this job";
  if (cancelling) return 'Cancelling';
  if (noWorker && state !== 'delayed') return 'Waiting: no workers running';
  switch (state) {
    case 'unknown':
      return id && 'Connecting';
    case 'waiting':
      return paused ? 'Waiting (paused)' : 'Waiting';
    case 'delayed':
      return 'Delayed';
    case 'active':
      return 'Running';
    case 'retrying':
      return 'Retrying';
    case 'stalled':
      return 'Interrupted';
    case 'completed':
      return 'Completed';
    case 'failed':
      return 'Failed';
    case 'cancelled':
      return 'Cancelled';
  }
}

/** How long a running job has made no progress, such as "stalled for 12 s"; empty while it makes progress. */
export function stalledLabel({ stalledMs }: Timing): string {
  return stalledMs === undefined ? '' : `stalled for ${elapsed(stalledMs)}`;
}

/** Where a waiting job is, such as "3 jobs before it, begins in about 2 min"; empty if that is unknown. */
export function positionLabel(
  { position, orMore }: { position?: number | undefined; orMore?: boolean | undefined },
  { beginsInMs }: Timing = {},
): string {
  if (position === undefined) return '';
  const jobs = position === 0 ? 'next' : `${amount(position, position === 1 ? 'job' : 'jobs')} before it`;
  const begins = beginsInMs === undefined ? '' : `, begins in about ${roughly(beginsInMs)}`;
  return (orMore ? `at least ${jobs}` : jobs) + begins;
}

/**
 * A job's state with its details, and whether the connection is lost.
 * @param detail {@link stalledLabel} or {@link positionLabel}
 */
export function liveLabel(job: WatchedJob, detail = ''): string {
  if (job.status === 'stale') return `${stateLabel(job)} (disconnected, reconnecting)`;
  const { state, position } = job;
  const has = detail && (state === 'active' || (state === 'waiting' && position !== undefined));
  return has ? `${stateLabel(job)}, ${detail}` : stateLabel(job);
}

/** The step between two announcements of progress to a screen reader, in percent: each percent would be noise. */
const STEP = 25;

/**
 * The text to announce to a screen reader: the job's state, each quarter of its progress, and its end. In between the
 * text does not change, so an element with the role `status` is announced only when there is something new.
 */
export function announcement(job: WatchedJob, label: string): string {
  const state = stateLabel(job);
  const quarter = job.percent === null ? 0 : Math.floor(job.percent / STEP) * STEP;
  const detail =
    job.state === 'active' && quarter > 0
      ? `, ${quarter} percent`
      : job.state === 'failed' && job.error
        ? `: ${job.error.message}`
        : '';
  return state && `${label}: ${state}${detail}`;
}

/** Whether the bar is indeterminate: the job is running, and its progress is unknown. */
export const isIndeterminate = ({ state, percent }: Pick<WatchedJob, 'state' | 'percent'>): boolean =>
  state === 'active' && percent === null;

/** How much of the bar is filled, 0 to 1. Without progress the bar is empty. */
export const fillOf = ({ percent }: Pick<WatchedJob, 'percent'>): number => (percent ?? 0) / 100;

/**
 * An attempt and the maximum, such as "Attempt 2 of 3". A job that was retried by hand or lost its worker can exceed
 * the maximum, which is then left out.
 */
export const attemptLabel = (attempt: number, attempts: number): string =>
  attempt > 0 && attempt <= attempts && attempts > 1
    ? `Attempt ${attempt} of ${attempts}`
    : `Attempt ${attempt}`;

/** Why a job failed or cannot be shown; empty otherwise. */
export const failureText = ({ state, error, problem }: WatchedJob): string =>
  problem?.message ?? (state === 'failed' ? error?.message : '') ?? '';

/** The percentage to show; a dash while unknown. */
export const percentLabel = ({ percent }: WatchedJob): string =>
  percent === null ? '–' : `${Math.floor(percent)} %`;

/** The attributes of an element that shows a job's progress (WAI-ARIA 1.2, `progressbar`). */
export const barAttributes = (
  { percent }: WatchedJob,
  label: string,
): Record<string, string | undefined> => ({
  role: 'progressbar',
  'aria-label': label,
  'aria-valuemin': '0',
  'aria-valuemax': '100',
  // A progress bar without a value is indeterminate.
  'aria-valuenow': percent === null ? undefined : String(Math.floor(percent)),
  'aria-valuetext': percent === null ? undefined : `${Math.floor(percent)} percent`,
});
