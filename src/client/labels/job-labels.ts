import { elapsed, roughly } from '../format.js';
import type { Waits } from '../timed-job.js';
import type { WatchedJob } from '../view.js';
import en from './en.js';
import { fillMessage } from './message.js';
import type { Labels } from './types.js';

/** A job's state, in a word or two; empty if there is no job yet. */
export function stateLabel(
  { id, state, paused, noWorker, cancelling, problem }: WatchedJob,
  labels: Labels = en,
): string {
  if (problem) return problem.status === 404 || problem.status === 410 ? labels.notFound : labels.cannotLoad;
  if (cancelling) return labels.cancelling;
  if (noWorker && state !== 'delayed') return labels.noWorker;
  switch (state) {
    case 'unknown':
      return id && labels.connecting;
    case 'waiting':
      return paused ? labels.paused : labels.waiting;
    case 'active':
      return labels.running;
    case 'stalled':
      return labels.interrupted;
    default:
      return labels[state];
  }
}

/**
 * Where a waiting job is, such as "3 jobs before it, begins in about 2 min"; empty if that is unknown.
 * @param waits `beginsInMs`, the time until it begins, if that is known
 */
export function positionLabel(
  { position, orMore }: { position?: number | undefined; orMore?: boolean | undefined },
  { beginsInMs }: Waits = {},
  labels: Labels = en,
): string {
  if (position === undefined) return '';
  const { lang } = labels;
  const exact = position === 0 ? labels.next : fillMessage(lang, labels.jobsBefore, { count: position });
  const place = orMore ? fillMessage(lang, labels.atLeast, { place: exact }) : exact;
  if (beginsInMs === undefined) return place;
  return fillMessage(lang, labels.begins, { place, time: roughly(beginsInMs, lang) });
}

/**
 * A job's state, where it waits, whether it has stalled, and whether the connection is lost.
 * @param waits the times of {@link positionLabel}, and how long the job has made no progress
 */
export function liveLabel(job: WatchedJob, waits: Waits = {}, labels: Labels = en): string {
  const { lang } = labels;
  const state = stateLabel(job, labels);
  if (job.status === 'stale') return fillMessage(lang, labels.disconnected, { state });
  if (job.state === 'waiting') {
    const place = positionLabel(job, waits, labels);
    return place ? fillMessage(lang, labels.placed, { state, place }) : state;
  }
  const { stalledMs } = waits;
  if (stalledMs === undefined || job.state !== 'active') return state;
  return fillMessage(lang, labels.stalled, { state, time: elapsed(stalledMs, lang) });
}

/** The step between two announcements of progress to a screen reader, in percent: each percent would be noise. */
const STEP = 25;

/**
 * The text to announce to a screen reader: the job's state, each quarter of its progress, and its end. In between the
 * text does not change, so an element with the role `status` is announced only when there is something new.
 */
export function announcement(job: WatchedJob, label: string, labels: Labels = en): string {
  const state = stateLabel(job, labels);
  if (!state) return '';
  const { lang } = labels;
  const percent = job.percent === null ? 0 : Math.floor(job.percent / STEP) * STEP;
  if (job.state === 'active' && percent > 0)
    return fillMessage(lang, labels.announcedProgress, { label, state, percent });
  if (job.state === 'failed' && job.error)
    return fillMessage(lang, labels.announcedError, { label, state, error: job.error.message });
  return fillMessage(lang, labels.announcement, { label, state });
}

/** Why a job failed or cannot be shown; empty otherwise. */
export const failureText = ({ state, error, problem }: WatchedJob): string =>
  problem?.message ?? (state === 'failed' ? error?.message : '') ?? '';

/** The percentage to show; a dash while unknown. */
export const percentLabel = ({ percent }: Pick<WatchedJob, 'percent'>, labels: Labels = en): string =>
  percent === null ? '–' : fillMessage(labels.lang, labels.percent, { percent: Math.floor(percent) });

/** The attributes of an element that shows a job's progress (WAI-ARIA 1.2, `progressbar`). */
export const barAttributes = (
  { percent }: Pick<WatchedJob, 'percent'>,
  label: string,
  labels: Labels = en,
): Record<string, string | undefined> => ({
  role: 'progressbar',
  'aria-label': label,
  'aria-valuemin': '0',
  'aria-valuemax': '100',
  // A progress bar without a value is indeterminate.
  'aria-valuenow': percent === null ? undefined : String(Math.floor(percent)),
  'aria-valuetext':
    percent === null
      ? undefined
      : fillMessage(labels.lang, labels.spokenPercent, { percent: Math.floor(percent) }),
});
