import type { ChannelHub } from '../channel/hub.js';
import { jobOfChannel } from '../channel/keys.js';
import { addressOf } from '../jobs/queues.js';
import { every } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import type { RedisClient } from '../redis/client.js';
import { createJobFaults, type JobFaults } from './job-faults.js';
import { JobRounds } from './job-rounds.js';
import type { Reconciler } from './reconcile.js';

const RECHECK_MS = 30_000;
const AT_ONCE = 100;
/** How long a round waits for its jobs, in ms. Slower ones finish in the background. */
const ROUND_WAIT_MS = 1000;

export interface Recheck extends Service {
  /** Reconciles all watched jobs now. */
  all(): void;
  /** Reconciles the watched jobs of one queue now. */
  queue(name: string): void;
}

/**
 * Reconciles every job that has viewers in this process: every 30 s, and when the connection to Redis is back. BullMQ trims
 * its event stream and Redis can lose its last second, so a viewer must not depend on a single message.
 * @param onLost called for a job that neither BullMQ nor a channel knows any more
 */
export function startRecheck(
  hub: ChannelHub,
  redis: RedisClient,
  reconciler: Reconciler,
  log: Logger,
  onLost: (jobId: string) => void | Promise<void> = () => {},
  faults: JobFaults = createJobFaults(log),
): Recheck {
  const queueRechecks = new Set<Promise<void>>();

  async function recheckJob(jobId: string): Promise<void> {
    const { job, epoch } = await reconciler.reconcile(jobId);
    if (!job && epoch === undefined) await onLost(jobId);
  }

  async function recheck(queue?: string): Promise<void> {
    const jobIds = Array.from(hub.channels())
      .flatMap((name) => jobOfChannel(name) ?? [])
      .filter((id) => queue === undefined || addressOf(id)?.queue === queue);
    const rounds = new JobRounds(faults, ROUND_WAIT_MS);
    for (let i = 0; i < jobIds.length; i += AT_ONCE) {
      await rounds.run(
        jobIds.slice(i, i + AT_ONCE).map((jobId) => ({ jobId, work: () => recheckJob(jobId) })),
      );
    }
  }
  const rechecks = every(
    RECHECK_MS,
    () => recheck(),
    (error) => log.debug({ err: error }, 'could not recheck the watched jobs'),
  );
  const all = (): void => void rechecks.run();
  redis.on('ready', all);
  return {
    all,
    queue(name) {
      const queueRecheck: Promise<void> = recheck(name)
        // The next recheck of all jobs makes up for it.
        .catch((error) => log.debug({ err: error, queue: name }, 'could not recheck the jobs of a queue'))
        .finally(() => queueRechecks.delete(queueRecheck));
      queueRechecks.add(queueRecheck);
    },
    async stop() {
      redis.off('ready', all);
      await Promise.all([rechecks.stop(), ...queueRechecks]);
    },
  };
}
