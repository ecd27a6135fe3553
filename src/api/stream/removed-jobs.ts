import { type LatestJobEvent, latestEvents } from '../../shared/bullmq/bull-events.js';
import { jobOfChannel } from '../../shared/channel/keys.js';
import { byShard } from '../../shared/job-index/keys.js';
import { addressOf, requireAddress } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import { createJobFaults, type JobFaults } from '../../shared/lifecycle/job-faults.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { isRedisFault } from '../../shared/redis/faults.js';

/** How often the watched jobs are checked, in ms. */
const CHECK_MS = 2000;
/** Maximum number of jobs that one command asks for. */
const AT_ONCE = 500;

export interface RemovedJobsOptions {
  /** The names of the channels that have viewers in this process. */
  channels: () => Iterable<string>;
  redis: RedisClient;
  keyspace: Keyspace;
  /**
   * Returns whether a queue follower reads the events of a queue. Watched jobs in other queues are reconciled at each check.
   * Defaults to yes.
   */
  isFollowed?: (queue: string) => boolean;
  reconciler: Reconciler;
  /** Called for a job that neither BullMQ nor a channel knows any more. */
  onLost: (jobId: string) => Promise<void>;
  faults?: JobFaults;
  log: Logger;
}

/**
 * Checks whether the jobs that are watched in this process are still in BullMQ, and reconciles those that are not.
 * Emptying a queue (`clean`, `drain`, `obliterate`) removes jobs without an event for each job. Jobs in queues
 * without a queue follower are reconciled too.
 */
export function followRemovedJobs({
  channels,
  redis,
  keyspace,
  isFollowed = () => true,
  reconciler,
  onLost,
  log,
  faults = createJobFaults(log),
}: RemovedJobsOptions): Service {
  /** Removed jobs that have been reconciled: a channel may have viewers after its job was removed. */
  let handled = new Set<string>();

  async function check(): Promise<void> {
    const jobIds = [...channels()].flatMap((name) => jobOfChannel(name) ?? []);
    handled = new Set(jobIds.filter((jobId) => handled.has(jobId)));
    const watched = jobIds.filter((jobId) => !handled.has(jobId) && addressOf(jobId));
    for (let i = 0; i < watched.length; i += AT_ONCE) {
      await reconcileRemoved(watched.slice(i, i + AT_ONCE));
    }
    const unfollowed = watched.filter((jobId) => !handled.has(jobId) && isUnfollowed(jobId));
    for (let i = 0; i < unfollowed.length; i += AT_ONCE) {
      await faults.each('reconcile', unfollowed.slice(i, i + AT_ONCE), (jobId) =>
        reconciler.reconcile(jobId),
      );
    }
  }

  const isUnfollowed = (jobId: string): boolean => !isFollowed(requireAddress(jobId).queue);

  async function reconcileRemoved(jobIds: string[]): Promise<void> {
    const jobs = jobIds.map((jobId) => ({ address: requireAddress(jobId) }));
    const keyOf = ({ address: { queue, id } }: (typeof jobs)[number]): string => keyspace.queueKey(queue, id);
    const found = await Promise.all(
      Array.from(byShard(jobs).values(), (ofShard) => redis.exists(...ofShard.map(keyOf))),
    );
    if (found.reduce((sum, count) => sum + count, 0) === jobs.length) return;
    const keys = jobs.map(keyOf);
    const exists = await Promise.all(keys.map((key) => redis.exists(key)));
    const removed = jobIds.filter((_jobId, i) => exists[i] === 0);
    const queues = [...new Set(removed.map((jobId) => requireAddress(jobId).queue))];
    // A job may have ended before it was removed: BullMQ's latest event of the job says how.
    const latest = new Map(
      await Promise.all(queues.map(async (queue) => [queue, await latestOf(queue)] as const)),
    );
    await faults.each('reconcile', removed, async (jobId) => {
      const hint = latest.get(requireAddress(jobId).queue)?.get(jobId)?.hint;
      const { job, epoch } = await reconciler.reconcile(jobId, hint ?? { event: 'removed' });
      if (!job && epoch === undefined) await onLost(jobId);
    });
    // Includes the jobs that could not be reconciled: the recheck of all watched jobs tries them again.
    for (const jobId of removed) handled.add(jobId);
  }

  /** The latest event of each job in a queue. Empty when the key of the event stream holds something else. */
  async function latestOf(queue: string): Promise<Map<string, LatestJobEvent>> {
    try {
      return await latestEvents(redis, keyspace, queue);
    } catch (error) {
      if (isRedisFault(error)) throw error;
      log.debug({ err: error, queue }, 'could not read the events of a queue');
      return new Map();
    }
  }

  return every(CHECK_MS, check, (error) => log.debug({ err: error }, 'could not check for removed jobs'));
}
