import { createAlerts } from '../alerts/alerts.js';
import { createHistory } from '../dashboard/history.js';
import type { FileStore } from '../files/store.js';
import { createAudit } from '../job-index/audit.js';
import { createJobRetention } from '../job-index/retention.js';
import { createUpToDateCheck } from '../job-index/up-to-date.js';
import type { Canceller } from '../lifecycle/cancel.js';
import type { Expiry } from '../lifecycle/expiry.js';
import type { HeldLeases } from '../lifecycle/lease.js';
import { type QueueFollowerOptions, startQueueFollower } from '../lifecycle/queue-follower.js';
import type { Reconciler } from '../lifecycle/reconcile.js';
import type { Service } from '../process/service.js';
import { isCluster } from '../redis/client.js';
import { connectRedis } from '../redis/connect.js';
import { isRedisFault } from '../redis/faults.js';
import type { ScheduleMaintainer } from '../schedules/maintainer.js';
import { inShard } from '../shards.js';
import type { ProcessCore } from './core.js';
import { createShardCheck } from './shard-check.js';

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

/** A task of the leader, by its name in the log. */
type Tasks = Record<string, () => Promise<void> | undefined>;

/**
 * Starts the work that one process at a time does for all, for each shard: following BullMQ's events, and the periodic tasks
 * (expired jobs, schedules, removal of old jobs, audit of the job index). The leader of the first shard also does what is not
 * about a shard. The work is for the shards that exist now: processes with a larger `QUEUE_SHARDS` do that of their own.
 */
export function startHousekeeping(options: HousekeepingOptions): Service {
  const { config, connection, plan, log } = options;
  const { redis, keyspace, census } = connection;
  const alerts = createAlerts({ redis, keyspace, queues: plan.names, census, config, log });
  const history = createHistory(redis, keyspace);
  const shardCheck = createShardCheck({ redis, keyspace, queues: plan.names, log });
  const tasks: Tasks = {
    'roll up the history': () => history.rollUp(),
    'check the alerts': () => alerts?.check(),
    'check the shards': () => shardCheck.check(),
  };
  const shards = keyspace.shards.all;
  const leases: HeldLeases | undefined = shards.length > 1 ? new Set() : undefined;
  const services = shards.map((shard) => startShard(options, shard, leases, shard === 0 ? tasks : {}));
  return {
    async stop() {
      await Promise.all(services.map((service) => service.stop()));
    },
  };
}

function startShard(
  options: HousekeepingOptions,
  shard: number,
  leases: HeldLeases | undefined,
  further: Tasks,
): Service {
  const { config, connection, plan, reconciler, schedules, expiry, canceller, store, log } = options;
  const { redis, keyspace, keep, trackJob, faults } = connection;
  const queues = plan.names.map((queue) => inShard(queue, shard));
  const retention = createJobRetention({ redis, keyspace, shard, keep, reconciler, store, faults, log });
  const audit = createAudit({ redis, keyspace, queues, shard, trackJob, faults, log });
  const tasks: Tasks = {
    'expire jobs': () => expiry.sweep(canceller, faults, shard),
    'maintain schedules': () => schedules.maintain(0, shard),
    'remove old jobs': () => retention.sweep(),
    'audit the job index': () => audit.step(),
    ...further,
  };
  const failing = new Set<string>();

  /** Runs one task. A failure does not stop the other tasks, and the task is tried again next time. */
  async function run(task: string, work: Tasks[string]): Promise<void> {
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
    queues,
    shard,
    ...(leases ? { leases } : {}),
    reconciler: options.following,
    // In a Cluster, a job and its channel are in different slots: each job is reconciled.
    ...(isCluster(redis) ? {} : { upToDate: createUpToDateCheck(redis, keyspace) }),
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    ...(options.onChanged ? { onChanged: options.onChanged } : {}),
    async chore() {
      await Promise.all(Object.entries(tasks).map(([task, work]) => run(task, work)));
    },
    faults,
    log,
  });
}
