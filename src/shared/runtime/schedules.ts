import type { FileStore } from '../files/store.js';
import { createExpiry } from '../lifecycle/expiry.js';
import { createScheduleMaintainer } from '../schedules/maintainer.js';
import type { ProcessCore } from './core.js';

/** Opens the expiry of jobs, and the schedules. Schedules record when their runs expire. */
export function openSchedules({ config, plan, connection, log }: ProcessCore, files: FileStore) {
  const { redis, keyspace, openQueue, readJob, reconciler } = connection;
  const expiry = createExpiry(redis, keyspace);
  const schedules = createScheduleMaintainer({
    redis,
    keyspace,
    openQueue,
    plan,
    readJob,
    reconciler,
    expiry,
    files,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });
  return { expiry, schedules };
}
