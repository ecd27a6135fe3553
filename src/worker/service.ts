import { mkdir } from 'node:fs/promises';
import type { Processor, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { createWatcherQuery } from '../shared/channel/watchers.js';
import { type ProcessReporting, startProcessReporting } from '../shared/dashboard/reporting.js';
import { RunningJobs } from '../shared/dashboard/running.js';
import { type FileStore, fileStoreOptions, openFileStore } from '../shared/files/store.js';
import { jobIdOf, planQueues, type QueuePlan } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { cancelObserver, createCanceller } from '../shared/lifecycle/cancel.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { CloseStack } from '../shared/process/close-stack.js';
import type { Config } from '../shared/process/config.js';
import { every } from '../shared/process/every.js';
import type { Logger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import type { Service } from '../shared/process/service.js';
import { watchControl } from '../shared/redis/broadcast.js';
import { connectRedis } from '../shared/redis/connect.js';
import { serverClockCell } from '../shared/redis/server-clock.js';
import { type Connection, connectHeadway } from '../shared/runtime/connection.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import { createScheduleMaintainer } from '../shared/schedules/maintainer.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import type { ReportingLimits } from './reporting/context.js';
import { lockLost } from './run/bullmq-job.js';
import { openChildren } from './run/children/services.js';
import { createProcessor, type JobProcessor } from './run/processor.js';
import { type ActiveRuns, cancelled } from './run/run.js';
import { workerScripts } from './run/scripts.js';
import { stopWorkers } from './run/shutdown.js';
import { createThreads, type Threads } from './run/thread/pool.js';
import { claimUncaught } from './run/uncaught.js';
import { createWorkers, queuesToServe, type ServedQueue, threadCount } from './run/workers.js';
import { defaultSecret } from './webhooks/default-secret.js';
import { createDeliver } from './webhooks/deliver.js';

const SWEEP_MS = 10 * 60_000;

export interface WorkerServiceOptions {
  config: Config;
  registry: Registry;
  /**
   * Called with an uncaught error that cannot be assigned to a job. Without it, such errors are left to the process.
   */
  onFatal?: (error: unknown) => void;
  log: Logger;
}

/** A running worker. */
export interface WorkerService {
  /** Names of the queues that it serves. */
  queues: string[];
  /** Resolves when all queues are connected. */
  ready: Promise<unknown>;
  /** Stops taking jobs, gives running ones `SHUTDOWN_GRACE_MS` to finish, and hands the others back. */
  close(): Promise<void>;
  /** Hands running jobs back at once, except the one that caused the crash, if it is known. */
  crash(): Promise<void>;
}

/**
 * Opens everything that a worker process needs, in order, and starts taking jobs.
 * @throws StartError for a mistake in the configuration
 * @throws UnusableRedisError when Redis cannot be used
 */
export async function openWorker({
  config,
  registry,
  log,
  onFatal,
}: WorkerServiceOptions): Promise<WorkerService> {
  const plan = planQueues(registry, config.QUEUE_NAME);
  const queues = queuesToServe(plan, registry, config);
  const opened = new CloseStack();

  const connection = await connectHeadway(config, 'patient', log, registry, workerScripts);
  opened.defer(() => connection.disconnect());
  const bullmqRedis = connectRedis(config.REDIS_URL, 'bullmq');
  opened.defer(() => bullmqRedis.disconnect());
  const commandsRedis = connectRedis(config.REDIS_URL, 'subscriber');
  opened.defer(() => commandsRedis.disconnect());
  const defaultWebhookSecret = await defaultSecret(config, process.env.NODE_ENV === 'production');
  const store = await openFiles(config);
  const core: Core = { config, registry, plan, connection, bullmqRedis, commandsRedis, store, log };
  opened.defer(claimUncaught({ log, onFatal }));

  const running = new RunningJobs();
  const reporting = opened.adopt(startReporting(core, queues, running), (reporting) => reporting.stop());
  opened.defer(() => flushOutcomes(connection));
  const lifecycle = openLifecycle(core);
  const threads = openThreads(core);
  opened.defer(() => threads.close());
  const { process: processor, runs } = openProcessor(core, lifecycle, threads, running, defaultWebhookSecret);
  watchCancels(core, runs);
  const housekeeping = openHousekeeping(core, lifecycle, reporting);
  opened.defer(() => Promise.all([housekeeping.stop(), lifecycle.children.watch.stop()]));
  const sweeper = startSweeper(core);
  // Do not wait for a sweep: it may itself be waiting for Redis.
  opened.defer(() => void sweeper.stop());
  const workers = openWorkers(core, lifecycle, queues, processor, runs);

  /** Running jobs get `graceMs` to finish; the others are handed back. Everything else is closed afterwards. */
  async function stopWithin(graceMs: number): Promise<void> {
    await stopWorkers(workers, runs, graceMs, () => connection.redis.status !== 'ready', log);
    await opened.close();
  }
  return {
    queues: queues.map(({ name }) => name),
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())),
    close: () => stopWithin(config.SHUTDOWN_GRACE_MS),
    async crash() {
      runs.crash();
      await stopWithin(0);
    },
  };
}

/** What most parts of a worker need. */
interface Core extends Pick<WorkerServiceOptions, 'config' | 'registry' | 'log'> {
  plan: QueuePlan;
  connection: Connection;
  /** The connection of BullMQ's workers and queues. */
  bullmqRedis: Redis;
  /** The connection on which requests to cancel arrive. */
  commandsRedis: Redis;
  store: FileStore;
}

type Lifecycle = ReturnType<typeof openLifecycle>;

async function openFiles(config: Config): Promise<FileStore> {
  await mkdir(config.FILES_DIR, { recursive: true });
  return openFileStore(fileStoreOptions(config));
}

const limitsOf = (config: Config): ReportingLimits => ({
  progressIntervalMs: config.PROGRESS_INTERVAL_MS,
  partialMaxBytes: config.PARTIAL_MAX_BYTES,
  logLines: config.JOB_LOG_LINES,
});

function openThreads({ config, log }: Core): Threads {
  return createThreads({
    max: threadCount(config),
    setup: {
      files: fileStoreOptions(config),
      limits: limitsOf(config),
      basePath: basePathOf(config.PUBLIC_URL),
      clock: serverClockCell(),
    },
    log,
  });
}

/** Queues, schedules, expiry, cancellation and child jobs, with the reconciler that takes all of them into account. */
function openLifecycle({ config, registry, plan, connection, store, log }: Core) {
  const { redis, queuePrefix, openQueue, readJob } = connection;
  const expiry = createExpiry(redis, config.KEY_PREFIX);
  const schedules = createScheduleMaintainer({
    redis,
    prefix: config.KEY_PREFIX,
    openQueue,
    plan,
    readJob,
    reconciler: connection.reconciler,
    expiry,
    files: store,
    filesTtlMs: config.FILES_TTL_MS,
    log,
  });
  // A job must not fail because Redis refuses commands for a while.
  const reconciler = connection.reconciler
    .with(schedules.observer)
    .retrying((error) => log.warn({ err: error }, 'Redis refused an event; retrying'));

  const canceller = createCanceller({
    redis,
    openQueue,
    queuePrefix,
    reconciler,
    prefix: config.KEY_PREFIX,
  });
  const children = openChildren({
    config,
    connection,
    reconciler,
    registry,
    plan,
    openQueue,
    expiry,
    store,
    canceller,
    log,
  });
  return { openQueue, expiry, schedules, reconciler, canceller, children };
}

function openProcessor(
  { config, registry, connection, commandsRedis, store, log }: Core,
  { reconciler, children }: Lifecycle,
  threads: Threads,
  running: RunningJobs,
  defaultWebhookSecret: string | undefined,
): JobProcessor {
  const { redis, queuePrefix, publisher, batch, keep } = connection;
  const deliverWebhook = createDeliver({
    store: connection.webhooks,
    policy: webhookPolicy(config),
    secret: defaultWebhookSecret,
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
  });
  return createProcessor({
    registry,
    redis,
    queuePrefix,
    reconciler,
    publisher,
    presence: createWatcherQuery({ redis, hub: commandsRedis, prefix: config.KEY_PREFIX }),
    batch,
    store,
    basePath: basePathOf(config.PUBLIC_URL),
    keep,
    limits: limitsOf(config),
    threads,
    services: { deliverWebhook },
    children,
    lockMs: config.LOCK_DURATION_MS,
    maxStalls: config.MAX_STALLS,
    running,
    log,
  });
}

/** The BullMQ workers. From here on jobs are taken. */
function openWorkers(
  { config, connection, plan, bullmqRedis, log }: Core,
  { children }: Lifecycle,
  queues: ServedQueue[],
  processor: Processor,
  runs: ActiveRuns,
): Worker[] {
  const workers = createWorkers({
    config,
    connection: bullmqRedis,
    queuePrefix: connection.queuePrefix,
    plan,
    queues,
    processor,
  });
  for (const worker of workers) {
    const jobIdIn = (id: string): string => jobIdOf({ queue: worker.name, id });
    worker.on('error', (error) => log.error({ err: error }, 'error of a BullMQ worker'));
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) runs.get(jobIdIn(id))?.lose(lockLost());
    });
    // The queue follower also publishes the end, but later.
    const published = (id: string | undefined): void => {
      if (id === undefined) return;
      children.reconciler
        .reconcile(jobIdIn(id))
        .catch((error) => log.warn({ err: error, id }, 'could not publish the end of a job'));
    };
    worker.on('completed', (job) => published(job.id));
    worker.on('failed', (job) => published(job?.id));
  }
  return workers;
}

/** Stops a run when its job is cancelled. */
function watchCancels({ config, connection, commandsRedis, log }: Core, runs: ActiveRuns): void {
  watchControl({
    redis: commandsRedis,
    prefix: config.KEY_PREFIX,
    verb: 'cancel',
    onMessage: (jobId) => runs.get(jobId)?.stop(cancelled()),
    async onGap() {
      await connection.faults.each('look at', [...runs.keys()], async (jobId) => {
        if ((await connection.readJob(jobId))?.cancelAsked) runs.get(jobId)?.stop(cancelled());
      });
    },
    log,
  });
}

function startReporting(
  { config, connection, log }: Core,
  queues: ServedQueue[],
  running: RunningJobs,
): ProcessReporting {
  const { redis } = connection;
  return startProcessReporting({
    redis,
    publishing: connection.publishing,
    prefix: config.KEY_PREFIX,
    sharded: connection.server.sharded,
    role: 'worker',
    describe: () => ({ running: running.size, queues }),
    jobs: running,
    log,
  });
}

/** Sends the counts of outcomes, unless Redis is unreachable: they are not worth waiting for. */
async function flushOutcomes({ redis, outcomes }: Connection): Promise<void> {
  if (redis.status === 'ready') await outcomes.flush();
}

function openHousekeeping(
  { config, connection, plan, store, log }: Core,
  { schedules, expiry, canceller, reconciler, children }: Lifecycle,
  reporting: ProcessReporting,
): Service {
  return startHousekeeping({
    role: 'worker',
    config,
    connection,
    plan,
    reconciler,
    following: children.reconciler.with(cancelObserver(canceller)),
    onChanged: reporting.changed,
    schedules,
    expiry,
    canceller,
    store,
    log,
  });
}

/** Removes expired files periodically. */
function startSweeper({ connection, store, log }: Core): Service {
  return every(
    SWEEP_MS,
    () => store.sweep(connection.isHeld),
    (error) => log.warn({ err: error }, 'could not remove expired files'),
  );
}
