import type { FileStore } from '../files/store.js';
import { createAudit } from '../job-index/audit.js';
import { createJobRetention } from '../job-index/retention.js';
import type { QueuePlan } from '../jobs/queues.js';
import type { Canceller } from '../lifecycle/cancel.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { type QueueFollowerOptions, type Running, startQueueFollower } from '../lifecycle/queue-follower.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import type { Config } from '../process/config.js';
import type { Logger } from '../process/log.js';
import { connectRedis } from '../redis/connect.js';
import { isRedisFault } from '../redis/faults.js';
import type { ScheduleMaintainer } from '../schedules/maintainer.js';
import type { Connection } from './connection.js';

export interface HousekeepingOptions extends Pick<QueueFollowerOptions, 'role' | 'onChanged'> {
  config: Config;
  connection: Connection;
  plan: QueuePlan;
  /** Publishes a job's final event before the job is removed. */
  reconciler: Reconciler;
  /** The reconciler with all observers, for the queue follower. */
  following: Reconciler;
  schedules: ScheduleMaintainer;
  expiry: Expiry;
  canceller: Canceller;
  store: FileStore;
  log: Logger;
}

/**
 * What one process at a time does for all, whichever it is: it follows BullMQ's events, and looks after what is due
 * (jobs that expire, schedules, finished jobs that are kept no longer, the index).
 */
export function startHousekeeping(options: HousekeepingOptions): Running {
  const { config, connection, plan, reconciler, schedules, expiry, canceller, store, log } = options;
  const { redis, queuePrefix, keep, trackJob, faults } = connection;
  const prefix = config.KEY_PREFIX;
  const retention = createJobRetention({ redis, prefix, queuePrefix, keep, reconciler, store, faults, log });
  const audit = createAudit({ redis, queuePrefix, queues: plan.names, trackJob, faults, log });
  const failing = new Set<string>();

  /** Looks after one thing. If that fails, the others go on, and it is tried again with the next chore. */
  async function look(after: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      failing.delete(after);
    } catch (error) {
      const level = isRedisFault(error) || failing.has(after) ? 'debug' : 'warn';
      log[level]({ err: error }, `could not look after ${after}`);
      if (level === 'warn') failing.add(after);
    }
  }

  return startQueueFollower({
    role: options.role,
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix,
    queuePrefix,
    queues: plan.names,
    reconciler: options.following,
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    ...(options.onChanged ? { onChanged: options.onChanged } : {}),
    async chore() {
      await Promise.all([
        look('jobs that expire', () => expiry.sweep(canceller, faults)),
        look('the schedules', () => schedules.maintain()),
        look('jobs that are kept no longer', () => retention.sweep()),
        look('finished jobs without an entry in the index', () => audit.step()),
      ]);
    },
    faults,
    log,
  });
}
