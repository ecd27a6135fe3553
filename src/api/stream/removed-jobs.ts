import type { Redis } from 'ioredis';
import { type LatestJobEvent, latestEvents } from '../../shared/bullmq/bull-events.js';
import { jobOfChannel } from '../../shared/channel/keys.js';
import { addressOf, queueKey } from '../../shared/jobs/queues.js';
import { createJobFaults, type JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import { isRedisFault } from '../../shared/redis/faults.js';

const LOOK_MS = 2000;
const AT_ONCE = 500;

export interface RemovedJobsOptions {
  /** The names of the channels that are watched here. */
  channels: () => Iterable<string>;
  redis: Redis;
  queuePrefix: string;
  /** The queues whose events are followed. Of others nobody says anything: their watched jobs are looked at. */
  followed?: readonly string[];
  reconciler: Reconciler;
  faults?: JobFaults;
  log: Logger;
}

/**
 * Looks whether the jobs that are watched here are still in BullMQ, and how those are that are in a queue of no kind of ours. Somebody who empties a queue (`clean`, `drain`,
 * `obliterate`) removes jobs without an event for each, or without any. One command asks for hundreds of jobs at a time.
 */
export function followRemovedJobs({
  channels,
  redis,
  queuePrefix,
  followed,
  reconciler,
  log,
  faults = createJobFaults(log),
}: RemovedJobsOptions): Service {
  /** Those that are gone and of which that was told; a channel may be watched beyond the end of its job. */
  let known = new Set<string>();
  let running: Promise<void> | undefined;

  async function look(): Promise<void> {
    const jobIds = [...channels()].flatMap((name) => jobOfChannel(name) ?? []);
    known = new Set(jobIds.filter((jobId) => known.has(jobId)));
    const watched = jobIds.filter((jobId) => !known.has(jobId) && addressOf(jobId));
    for (let i = 0; i < watched.length; i += AT_ONCE) await lookAt(watched.slice(i, i + AT_ONCE));
    const elsewhere = watched.filter((jobId) => !known.has(jobId) && isElsewhere(jobId));
    for (let i = 0; i < elsewhere.length; i += AT_ONCE) {
      await faults.each('reconcile', elsewhere.slice(i, i + AT_ONCE), (jobId) => reconciler.reconcile(jobId));
    }
  }

  const isElsewhere = (jobId: string): boolean =>
    followed !== undefined && !followed.includes(addressOf(jobId)!.queue);

  async function lookAt(jobIds: string[]): Promise<void> {
    const keys = jobIds.map((jobId) => {
      const { queue, id } = addressOf(jobId)!;
      return queueKey(queuePrefix, queue, id);
    });
    if ((await redis.exists(...keys)) === keys.length) return;
    const there = await Promise.all(keys.map((key) => redis.exists(key)));
    const gone = jobIds.filter((_jobId, i) => there[i] === 0);
    const queues = [...new Set(gone.map((jobId) => addressOf(jobId)!.queue))];
    // A job may have come to its end and be removed at that.
    const news = await Promise.all(queues.map(newsOf));
    await faults.each('reconcile', gone, (jobId) => {
      const hint = news[queues.indexOf(addressOf(jobId)!.queue)]!.get(jobId)?.hint;
      return reconciler.reconcile(jobId, hint ?? { event: 'removed' });
    });
    // One that was stepped over as well: the look at all watched jobs tries it again.
    for (const jobId of gone) known.add(jobId);
  }

  /** What the newest events of a queue say; nothing where another program made something else of its event stream. */
  async function newsOf(queue: string): Promise<Map<string, LatestJobEvent>> {
    try {
      return await latestEvents(redis, queuePrefix, queue);
    } catch (error) {
      if (isRedisFault(error)) throw error;
      log.debug({ err: error, queue }, 'could not read the events of a queue');
      return new Map();
    }
  }

  const timer = setInterval(() => {
    running ??= look()
      .catch((error) => log.debug({ err: error }, 'could not look for vanished jobs'))
      .finally(() => {
        running = undefined;
      });
  }, LOOK_MS);
  return {
    async stop() {
      clearInterval(timer);
      await running;
    },
  };
}
