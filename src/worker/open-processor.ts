import { createWatcherQuery } from '../shared/channel/watchers.js';
import type { RunningJobs } from '../shared/dashboard/running.js';
import { fileStoreOptions } from '../shared/files/store.js';
import type { Config } from '../shared/process/config.js';
import { basePathOf } from '../shared/process/public-url.js';
import { serverClockCell } from '../shared/redis/server-clock.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import type { Core } from './core.js';
import type { RunHistory } from './estimates/run-history.js';
import type { Lifecycle } from './open-lifecycle.js';
import type { ReportingLimits } from './reporting/context.js';
import { createProcessor, type JobProcessor } from './run/processor.js';
import { createThreads, type Threads } from './run/thread/pool.js';
import { threadCount } from './run/workers.js';
import { createDeliver } from './webhooks/deliver.js';

const limitsOf = (config: Config): ReportingLimits => ({
  progressIntervalMs: config.PROGRESS_INTERVAL_MS,
  partialMaxBytes: config.PARTIAL_MAX_BYTES,
  logLines: config.JOB_LOG_LINES,
});

export function openThreads({ config, log }: Core): Threads {
  return createThreads({
    max: threadCount(config),
    setup: {
      files: { ...fileStoreOptions(config), patient: true },
      limits: limitsOf(config),
      basePath: basePathOf(config.PUBLIC_URL),
      clock: serverClockCell(),
    },
    log,
  });
}

export function openProcessor(
  { config, registry, connection, commandsRedis, store, log }: Core,
  { reconciler, children }: Lifecycle,
  threads: Threads,
  running: RunningJobs,
  history: RunHistory,
  webhookSecrets: readonly string[],
): JobProcessor {
  const { redis, keyspace, publisher, batch, keep } = connection;
  const deliverWebhook = createDeliver({
    store: connection.webhooks,
    policy: webhookPolicy(config),
    secrets: webhookSecrets,
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
  });
  return createProcessor({
    registry,
    redis,
    reconciler,
    publisher,
    presence: createWatcherQuery({ redis, hub: commandsRedis, keyspace }),
    batch,
    store,
    basePath: basePathOf(config.PUBLIC_URL),
    keep,
    limits: limitsOf(config),
    memoryMb: config.THREAD_MEMORY_MB,
    threads,
    services: { deliverWebhook },
    children,
    lockMs: config.LOCK_DURATION_MS,
    timeoutMs: config.JOB_TIMEOUT_MS,
    maxStalls: config.MAX_STALLS,
    history,
    running,
    log,
  });
}
