import { createAlerts } from '../alerts/alerts.js';
import { createHistory } from '../dashboard/history.js';
import type { FileStore } from '../files/store.js';
import { createAudit } from '../job-index/audit.js';
import { createJobRetention } from '../job-index/retention.js';
import { createUpToDateCheck } from '../job-index/up-to-date.js';
import type { Canceller } from '../lifecycle/cancel.js';
import type { Expiry } from '../lifecycle/expiry.js';
import { type QueueFollowerOptions, startQueueFollower } from '../lifecycle/queue-follower.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import type { Service } from '../process/service.js';
import { isCluster } from '../redis/client.js';
import { connectRedis } from '../redis/connect.js';
import { isRedisFault } from '../redis/faults.js';
import type { ScheduleMaintainer } from '../schedules/maintainer.js';
import type { ProcessCore } from './core.js';

export interface HousekeepingOptions extends ProcessCore, Pick<QueueFollowerOptions, 'role' | 'onChanged'> {
  /** Publishes a job's final event before the job is removed. */
  reconciler: Reconciler;
  /** The reconciler with all observers, for the queue follower. */
  following: Reconciler;
  schedules: ScheduleMaintainer;
  expiry: Expiry;
  canceller: Canceller;
  store: FileStore;
}

/**
 * Starts the work that one process at a time does for all: following BullMQ's events, and the periodic tasks (expired jobs,
 * schedules, removal of old jobs, audit of the job index).
 */
export function startHousekeeping(options: HousekeepingOptions): Service {
  const { config, connection, plan, reconciler, schedules, expiry, canceller, store, log } = options;
  const { redis, keyspace, keep, trackJob, faults } = connection;
  const retention = createJobRetention({ redis, keyspace, keep, reconciler, store, faults, log });
  const audit = createAudit({ redis, keyspace, queues: plan.names, trackJob, faults, log });
  const { census } = connection;
  const alerts = createAlerts({ redis, keyspace, queues: plan.names, census, config, log });
  const history = createHistory(redis, keyspace);
  const failing = new Set<string>();

  /** Runs one task. A failure does not stop the other tasks, and the task is tried again next time. */
  async function run(task: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      failing.delete(task);
    } catch (error) {
      const level = isRedisFault(error) || failing.has(task) ? 'debug' : 'warn';
      log[level]({ err: error }, `task failed: ${task}`);
      if (level === 'warn') failing.add(task);
    }
  }

  return startQueueFollower({
    role: options.role,
    redis,
    connect: () => connectRedis(config, 'patient'),
    keyspace,
    queues: plan.names,
    reconciler: options.following,
    // In a Cluster, a job and its channel are in different slots: each job is reconciled.
    ...(isCluster(redis) ? {} : { upToDate: createUpToDateCheck(redis, keyspace) }),
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    ...(options.onChanged ? { onChanged: options.onChanged } : {}),
    async chore() {
      await Promise.all([
        run('expire jobs', () => expiry.sweep(canceller, faults)),
        run('maintain schedules', () => schedules.maintain()),
        run('remove old jobs', () => retention.sweep()),
        run('audit the job index', () => audit.step()),
        run('roll up the history', () => history.rollUp()),
        run('check the alerts', async () => alerts?.check()),
      ]);
    },
    faults,
    log,
  });
}
