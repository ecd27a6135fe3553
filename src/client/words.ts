import type { Timing } from './pace.js';
import type { WatchedJob } from './view.js';

/** What a job is doing, in a word or two. */
export function stateWords({ state, paused, noWorker, cancelling, problem }: WatchedJob): string {
  if (problem)
    return problem.status === 404 || problem.status === 410 ? 'No longer here' : 'Cannot be watched';
  if (cancelling) return 'Cancelling';
  if (noWorker && state !== 'delayed') return 'Waiting: no worker is running';
  switch (state) {
    case 'unknown':
      return 'Connecting';
    case 'waiting':
      return paused ? 'Waiting (paused)' : 'Waiting';
    case 'delayed':
      return 'Delayed';
    case 'active':
      return 'Running';
    case 'retrying':
      return 'Trying again';
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

/** For how long a job that runs has stood still; empty while it moves. */
export function stalledWords({ stalledMs }: Timing): string {
  if (stalledMs === undefined) return '';
  const seconds = Math.floor(stalledMs / 1000);
  const minutes = Math.floor(seconds / 60);
  const span =
    seconds < 60
      ? `${seconds} s`
      : minutes < 60
        ? `${minutes} min ${seconds % 60} s`
        : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `stalled for ${span}`;
}

/** What a job is doing, that it stands still, and that it is not live where the connection is lost. @param stalled {@link stalledWords} */
export function liveWords(job: WatchedJob, stalled = ''): string {
  if (job.status === 'stale') return `${stateWords(job)} (not live: reconnecting)`;
  return stalled && job.state === 'active' ? `${stateWords(job)}, ${stalled}` : stateWords(job);
}

/** So many percent apart a screen reader is told of progress: each percent would be noise. */
const STEP = 25;

/**
 * What a screen reader is told of a job, politely: its state when that changes, the quarters of its way, its end. It
 * stays the same in between, so that an element of the role `status` that has it as its text speaks only when there is
 * something to say.
 */
export function announcement(job: WatchedJob, label: string): string {
  const words = stateWords(job);
  const quarter = job.percent === null ? 0 : Math.floor(job.percent / STEP) * STEP;
  const detail =
    job.state === 'active' && quarter > 0
      ? `, ${quarter} percent`
      : job.state === 'failed' && job.error
        ? `: ${job.error.message}`
        : '';
  return `${label}: ${words}${detail}`;
}

/** Whether the job's bar shows movement without a value: it runs, and nobody can say how far it is. */
export const isIndeterminate = ({ state, percent }: Pick<WatchedJob, 'state' | 'percent'>): boolean =>
  state === 'active' && percent === null;

/** How much of the job's bar is filled, 0 to 1. Without progress the bar is empty. */
export const fillOf = ({ percent }: Pick<WatchedJob, 'percent'>): number => (percent ?? 0) / 100;

/**
 * An attempt by its number; with "of" only while that is true: a job that was run again by hand, or lost its worker, may
 * have more attempts than its options ask for.
 */
export const attemptWords = (attempt: number, attempts: number): string =>
  attempt > 0 && attempt <= attempts && attempts > 1
    ? `Attempt ${attempt} of ${attempts}`
    : `Attempt ${attempt}`;

/** The percent as it is shown; a dash while nobody can say. */
export const percentText = ({ percent }: WatchedJob): string =>
  percent === null ? '–' : `${Math.floor(percent)} %`;

/** The attributes of an element that shows a job as a bar (WAI-ARIA 1.2, progressbar). */
export const barAttributes = (
  { percent }: WatchedJob,
  label: string,
): Record<string, string | undefined> => ({
  role: 'progressbar',
  'aria-label': label,
  'aria-valuemin': '0',
  'aria-valuemax': '100',
  // Without a value it is indeterminate.
  'aria-valuenow': percent === null ? undefined : String(Math.floor(percent)),
  'aria-valuetext': percent === null ? undefined : `${Math.floor(percent)} percent`,
});
