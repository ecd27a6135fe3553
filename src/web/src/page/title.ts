import { isUnderWay, isWaiting, type PageJob } from '../job/follow-job';
import { jobWords } from '../job/words';

/** How far jobs are together, 0 to 100: one of which nobody can say counts as 0. */
export const meanPercent = (jobs: ReadonlyArray<Pick<PageJob, 'percent'>>): number =>
  Math.floor(jobs.reduce((sum, { percent }) => sum + (percent ?? 0), 0) / Math.max(1, jobs.length));

/**
 * The title of a tab that shows jobs: how far they are, while any is under way, else what became of the first. Pure.
 * @param jobs newest first
 */
export function titleOf(jobs: PageJob[]): string {
  const running = jobs.filter(isUnderWay);
  const waiting = running.filter(isWaiting).length;
  if (running.length > 1 && waiting === running.length) return `${waiting} jobs waiting`;
  if (running.length > 1) return `${meanPercent(running)} % · ${running.length} jobs`;
  const [job = jobs[0]] = running;
  if (!job?.name) return 'Headway';
  return running.length === 1 && job.percent !== null
    ? `${Math.floor(job.percent)} % · ${job.name}`
    : `${jobWords(job)} · ${job.name}`;
}
