import { attemptLabel, stateLabel } from '../../../client/labels.js';
import { when } from '../format';
import { isEnded, type PageJob } from './follow-job';

/** A job that should have started this long ago counts as overdue, in ms: no worker has taken it. */
const OVERDUE_MS = 5000;

/** Describes what a job is doing, with details. @param now ms since 1970 */
export function jobLabel(job: PageJob, now = Date.now()): string {
  const { state, attempt, attempts, paused, noWorker, cancelling, nextAt } = job;
  const overdue = nextAt !== undefined && now - nextAt > OVERDUE_MS;
  if (job.problem || isEnded(job) || cancelling) return stateLabel(job);
  if (noWorker && state !== 'delayed') return stateLabel(job);
  if (paused) return stateLabel({ ...job, state: 'waiting' });
  switch (state) {
    case 'waiting':
      return 'Waiting for a free worker';
    case 'delayed':
      if (!nextAt) return 'Starts soon';
      return overdue ? `Was due ${when(nextAt, now)}` : `Starts ${when(nextAt, now)}`;
    case 'active':
      return attempt > 1 ? `Running, attempt ${attempt}` : 'Running';
    case 'retrying': {
      const failed = `${attemptLabel(attempt, attempts)} failed.`;
      if (!nextAt) return `${failed} Retrying soon`;
      return overdue
        ? `${failed} Retry was due ${when(nextAt, now)}`
        : `${failed} Retrying ${when(nextAt, now)}`;
    }
    case 'stalled':
      return 'Worker lost. Restarting on another';
    default:
      return stateLabel(job);
  }
}
