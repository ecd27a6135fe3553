import type { Redis } from 'ioredis';
import type { ChannelHub } from '../channel/hub.js';
import { jobOfChannel } from '../channel/keys.js';
import { addressOf } from '../jobs/queues.js';
import type { Logger } from '../process/log.js';
import type { Service } from '../process/service.js';
import { createJobFaults, type JobFaults } from './job-faults.js';
import { Looks } from './looks.js';
import type { Reconciler } from './reconcile.js';

const RECHECK_MS = 30_000;
const AT_ONCE = 100;
/** Jobs of a round that take longer than this are not waited for. */
const PATIENCE_MS = 1000;

export interface Recheck extends Service {
  /** Looks at all of them now. */
  all(): void;
  /** Looks at those of one queue now. */
  queue(name: string): void;
}

/**
 * Looks at the real state of every job that is watched here, now and then and whenever Redis comes back. BullMQ
 * trims its event stream and Redis can lose its last second: no viewer hangs because of a message that is gone.
 * @param onLost told of a job that neither BullMQ nor its channel knows of any more
 */
export function startRecheck(
  hub: ChannelHub,
  redis: Redis,
  reconciler: Reconciler,
  log: Logger,
  onLost: (jobId: string) => void = () => {},
  faults: JobFaults = createJobFaults(log),
): Recheck {
  let running: Promise<void> | undefined;
  const looks = new Set<Promise<void>>();

  async function look(jobId: string): Promise<void> {
    const { job, epoch } = await reconciler.reconcile(jobId);
    if (!job && epoch === undefined) onLost(jobId);
  }

  async function recheck(queue?: string): Promise<void> {
    const jobIds = Array.from(hub.channels())
      .flatMap((name) => jobOfChannel(name) ?? [])
      .filter((id) => queue === undefined || addressOf(id)?.queue === queue);
    const looks = new Looks(faults, PATIENCE_MS);
    for (let i = 0; i < jobIds.length; i += AT_ONCE) {
      await looks.round(jobIds.slice(i, i + AT_ONCE).map((jobId) => ({ jobId, work: () => look(jobId) })));
    }
  }
  const go = (): void => {
    running ??= recheck()
      .catch((error) => log.debug({ err: error }, 'could not look at the watched jobs'))
      .finally(() => {
        running = undefined;
      });
  };
  const timer = setInterval(go, RECHECK_MS);
  redis.on('ready', go);
  return {
    all: go,
    queue(name) {
      const look: Promise<void> = recheck(name)
        // The next look at all of them makes up for it.
        .catch((error) => log.debug({ err: error, queue: name }, 'could not look at the jobs of a queue'))
        .finally(() => looks.delete(look));
      looks.add(look);
    },
    async stop() {
      clearInterval(timer);
      redis.off('ready', go);
      await Promise.all([running, ...looks]);
    },
  };
}
