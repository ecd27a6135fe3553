import type { FileStore } from '../shared/files/store.js';
import { createNewJobIndexer } from '../shared/job-index/new-jobs.js';
import { createTombstoneReader } from '../shared/job-index/tombstones.js';
import { createCanceller } from '../shared/lifecycle/cancel.js';
import { openSchedules } from '../shared/runtime/schedules.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import type { Core } from './core.js';
import { createJobStarter } from './jobs/start.js';
import { createLimitedStarter } from './jobs/start-limited.js';
import { createJobLimits } from './limits/jobs.js';

export type Jobs = ReturnType<typeof openJobs>;

/** Opens the parts that start, change and store jobs. */
export function openJobs(core: Core, store: FileStore, production: boolean) {
  const { config, registry, connection, limiter } = core;
  const { redis, keyspace, openQueue, reconciler } = connection;
  const canceller = createCanceller({ redis, openQueue, keyspace, reconciler });
  const { expiry, schedules } = openSchedules(core, store);
  const starter = createJobStarter({
    redis,
    keyspace,
    openQueue,
    publisher: connection.publisher,
    registry,
    plan: core.plan,
    store,
    isHeld: connection.isHeld,
    expiry,
    indexNew: createNewJobIndexer(redis, keyspace),
    oneTurn: true,
    webhooks: connection.webhooks,
    defaultTimeoutMs: config.JOB_TIMEOUT_MS,
    webhookRules: { ...webhookPolicy(config), ownSecret: production && config.WEBHOOK_SECRET.length === 0 },
  });
  const jobLimits = createJobLimits(redis, keyspace, limiter);
  const limitedStarter = createLimitedStarter(starter, jobLimits);
  const readTombstone = createTombstoneReader(redis, keyspace);
  return {
    store,
    openQueue,
    canceller,
    expiry,
    schedules,
    starter,
    limitedStarter,
    jobLimits,
    readTombstone,
  };
}
