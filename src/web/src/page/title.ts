import { percentage } from '../format';
import { isUnderWay, isWaiting, type PageJob } from '../job/follow-job';
import { jobLabel } from '../job/labels';
import { fill, words } from '../words';

/** The mean progress of jobs, 0 to 100. Unknown progress counts as 0. */
export const meanPercent = (jobs: ReadonlyArray<Pick<PageJob, 'percent'>>): number =>
  Math.floor(jobs.reduce((sum, { percent }) => sum + (percent ?? 0), 0) / Math.max(1, jobs.length));

/**
 * Returns the title of a tab that shows jobs: their progress while any is unfinished, otherwise the state of the first.
 * Pure.
 * @param jobs newest first
 */
export function titleOf(jobs: PageJob[]): string {
  const running = jobs.filter(isUnderWay);
  const waiting = running.filter(isWaiting).length;
  const count = running.length;
  if (count > 1 && waiting === count) return fill(words.page.tabWaiting, { count });
  if (count > 1) return fill(words.page.tabRunning, { count, percent: percentage(meanPercent(running)) });
  const [job = jobs[0]] = running;
  if (!job?.name) return 'Headway';
  return running.length === 1 && job.percent !== null
    ? `${percentage(job.percent)} · ${job.name}`
    : `${jobLabel(job)} · ${job.name}`;
}
