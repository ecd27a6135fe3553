import { isEnded, isUnderWay, type PageJob } from '../job/follow-job';

/** The shortest time from a job's request to its end that is worth a notification, in ms. */
const LONG_MS = 10_000;
/** An end that arrives within this time after the job was first seen counts as replayed, not new, in ms. */
const SEEN_MS = 1000;

/**
 * Detects the end of a long job, once for each end, while the job is watched.
 * @param now a monotonic clock, in ms
 * @returns a function to call after each change of the job; it returns whether a long run has just ended
 */
export function createLongEndDetector(
  now: () => number = () => performance.now(),
): (job: PageJob) => boolean {
  let seenAt: number | undefined;
  return (job) => {
    if (isUnderWay(job)) seenAt ??= now();
    if (!isEnded(job) || seenAt === undefined) return false;
    const seen = now() - seenAt;
    seenAt = undefined;
    return seen >= SEEN_MS && (job.endedAt ?? 0) - (job.since ?? 0) >= LONG_MS;
  };
}
