import { stateWords } from '../../../client/words.js';
import { clock } from '../format';
import { isEnded, type PageJob } from './follow-job';

/** What a job is doing, with what there is to know of it. */
export function jobWords(job: PageJob): string {
  const { state, attempt, attempts, paused, noWorker, nextAt } = job;
  const next = nextAt ? ` at ${clock(nextAt)}` : ' soon';
  if (job.problem || isEnded(job)) return stateWords(job);
  if (noWorker && state !== 'delayed') return stateWords(job);
  if (paused) return stateWords({ ...job, state: 'waiting' });
  switch (state) {
    case 'waiting':
      return 'Waiting for a free worker';
    case 'delayed':
      return `Starts${next}`;
    case 'active':
      return attempt > 1 ? `Running, attempt ${attempt}` : 'Running';
    case 'retrying':
      return `Attempt ${attempt} of ${attempts} failed; the next starts${next}`;
    case 'stalled':
      return 'Its worker was lost; another takes over';
    default:
      return stateWords(job);
  }
}
