import { attemptWords, stateWords } from '../../../client/words.js';
import { when } from '../format';
import { isEnded, type PageJob } from './follow-job';

/** A time that was due this long ago has been missed, in ms: nobody has taken the job. */
const MISSED_MS = 5000;

/** What a job is doing, with what there is to know of it. @param now ms since 1970 */
export function jobWords(job: PageJob, now = Date.now()): string {
  const { state, attempt, attempts, paused, noWorker, cancelling, nextAt } = job;
  const missed = nextAt !== undefined && now - nextAt > MISSED_MS;
  const next = missed
    ? `was due ${when(nextAt, now)}`
    : nextAt
      ? `starts ${when(nextAt, now)}`
      : 'starts soon';
  if (job.problem || isEnded(job) || cancelling) return stateWords(job);
  if (noWorker && state !== 'delayed') return stateWords(job);
  if (paused) return stateWords({ ...job, state: 'waiting' });
  switch (state) {
    case 'waiting':
      return 'Waiting for a free worker';
    case 'delayed':
      return `${next[0]!.toUpperCase()}${next.slice(1)}`;
    case 'active':
      return attempt > 1 ? `Running, attempt ${attempt}` : 'Running';
    case 'retrying':
      return `${attemptWords(attempt, attempts)} failed; the next ${next}`;
    case 'stalled':
      return 'Its worker was lost; another takes over';
    default:
      return stateWords(job);
  }
}
