import type { Config } from './config.js';
import type { Connection } from './connection.js';
import type { FileStore } from './files/store.js';
import { createAudit } from './job-index/audit.js';
import { createKeeper } from './job-index/keeper.js';
import { type BridgeOptions, type Running, startBridge } from './lifecycle/bridge.js';
import type { Expiry } from './lifecycle/expiry.js';
import type { Lifecycle } from './lifecycle/reconcile.js';
import { type Withdrawal, withCancels } from './lifecycle/withdraw.js';
import type { Logger } from './log.js';
import type { QueuePlan } from './queues.js';
import { connectRedis } from './redis.js';
import type { ScheduleKeeper } from './schedules/keeper.js';

export interface HousekeepingOptions extends Pick<BridgeOptions, 'role' | 'onChanged'> {
  config: Config;
  connection: Connection;
  plan: QueuePlan;
  /** Tells of jobs that are to go. */
  lifecycle: Lifecycle;
  /** What follows the queues: it is also told of the ends of parents. */
  following: Lifecycle;
  schedules: ScheduleKeeper;
  expiry: Expiry;
  withdrawal: Withdrawal;
  store: FileStore;
  log: Logger;
}

/**
 * What one process at a time does for all, whichever it is: it follows BullMQ's events, and looks after what is due
 * (jobs that expire, schedules, finished jobs that are kept no longer, the index).
 */
export function startHousekeeping(options: HousekeepingOptions): Running {
  const { config, connection, plan, lifecycle, schedules, expiry, withdrawal, store, log } = options;
  const { redis, queuePrefix, keep, trackJob } = connection;
  const prefix = config.KEY_PREFIX;
  const keeper = createKeeper({ redis, prefix, queuePrefix, keep, lifecycle, store, log });
  const audit = createAudit({ redis, queuePrefix, queues: plan.names, trackJob });
  return startBridge({
    role: options.role,
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix,
    queuePrefix,
    queues: plan.names,
    lifecycle: withCancels(options.following, withdrawal),
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    ...(options.onChanged ? { onChanged: options.onChanged } : {}),
    async chore() {
      await Promise.all([expiry.sweep(withdrawal), schedules.tend(), keeper.sweep()]);
      await audit.step();
    },
    log,
  });
}
