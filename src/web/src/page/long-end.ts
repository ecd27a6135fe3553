import { isEnded, isUnderWay, type PageJob } from '../job/follow-job';

/** A job that took less than this, from when it was asked for to its end, is not worth a notification, in ms. */
const LONG_MS = 10_000;
/** An end that comes sooner after the first look at the job was there before: the stream has only told it now, in ms. */
const SEEN_MS = 1000;

/**
 * Whether the end of a job that took long has just been seen, once for each end.
 * @param now a clock that goes on evenly, ms
 * @returns is asked with each change of the job
 */
export function createLongEnd(now: () => number = () => performance.now()): (job: PageJob) => boolean {
  let seenAt: number | undefined;
  return (job) => {
    if (isUnderWay(job)) seenAt ??= now();
    if (!isEnded(job) || seenAt === undefined) return false;
    const seen = now() - seenAt;
    seenAt = undefined;
    return seen >= SEEN_MS && (job.endedAt ?? 0) - (job.since ?? 0) >= LONG_MS;
  };
}
