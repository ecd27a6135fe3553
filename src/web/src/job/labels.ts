import { stateLabel as clientLabel } from '../../../client/labels/job-labels.js';
import { isPlanned, type WatchedJob } from '../../../client/view.js';
import { when } from '../format';
import { fill, words } from '../words';
import { isEnded, type PageJob } from './follow-job';

/** A job that should have started this long ago counts as overdue, in ms: no worker has taken it. */
const OVERDUE_MS = 5000;

/** A job's state, in a word or two. */
export const stateLabel = (job: WatchedJob): string => clientLabel(job, words.labels);

const attemptLabel = (attempt: number, attempts: number): string =>
  isPlanned(attempt, attempts)
    ? fill(words.job.attemptOf, { attempt, attempts })
    : fill(words.job.attempt, { attempt });

/** Describes what a job is doing, with details. @param now ms since 1970 */
export function jobLabel(job: PageJob, now = Date.now()): string {
  const { state, attempt, attempts, paused, noWorker, cancelling, nextAt } = job;
  const overdue = nextAt !== undefined && now - nextAt > OVERDUE_MS;
  if (job.problem || isEnded(job) || cancelling) return stateLabel(job);
  if (noWorker && state !== 'delayed') return stateLabel(job);
  if (paused) return stateLabel({ ...job, state: 'waiting' });
  switch (state) {
    case 'waiting':
      return words.job.waiting;
    case 'delayed':
      if (!nextAt) return words.job.startsSoon;
      return fill(overdue ? words.job.wasDue : words.job.starts, { when: when(nextAt, now) });
    case 'active':
      return attempt > 1 ? fill(words.job.runningAttempt, { attempt }) : stateLabel(job);
    case 'retrying': {
      const failed = { attempt: attemptLabel(attempt, attempts) };
      if (!nextAt) return fill(words.job.retryingSoon, failed);
      const { retryWasDue, retrying } = words.job;
      return fill(overdue ? retryWasDue : retrying, { ...failed, when: when(nextAt, now) });
    }
    case 'stalled':
      return words.job.workerLost;
    default:
      return stateLabel(job);
  }
}
