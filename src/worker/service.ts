import { mkdir } from 'node:fs/promises';
import { createWatcherQuery } from '../shared/channel/watchers.js';
import { startProcessReporting } from '../shared/dashboard/reporting.js';
import { RunningJobs } from '../shared/dashboard/running.js';
import { fileStoreOptions, openFileStore } from '../shared/files/store.js';
import { jobIdOf, planQueues } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { cancelObserver, createCanceller } from '../shared/lifecycle/cancel.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import { basePathOf } from '../shared/process/public-url.js';
import { watchControl } from '../shared/redis/broadcast.js';
import { connectRedis } from '../shared/redis/connect.js';
import { serverClockCell } from '../shared/redis/server-clock.js';
import { connectHeadway } from '../shared/runtime/connection.js';
import { startHousekeeping } from '../shared/runtime/leader.js';
import { createScheduleMaintainer } from '../shared/schedules/maintainer.js';
import { webhookPolicy } from '../shared/webhooks/target.js';
import { openChildren } from './run/children/services.js';
import { lockLost } from './run/hold.js';
import { createProcessor } from './run/processor.js';
import { cancelled } from './run/run.js';
import { workerScripts } from './run/scripts.js';
import { stopWorkers } from './run/shutdown.js';
import { createThreads } from './run/thread/pool.js';
import { claimUncaught } from './run/uncaught.js';
import { createWorkers, queuesToServe, threadCount } from './run/workers.js';
import { defaultSecret } from './webhooks/default-secret.js';
import { createDeliver } from './webhooks/deliver.js';

const SWEEP_MS = 10 * 60_000;

export interface WorkerServiceOptions {
  config: Config;
  registry: Registry;
  /** Hears of an error that belongs to no job. Without, such errors are left to the process. */
  onFatal?: (error: unknown) => void;
  log: Logger;
}

/** What a worker process does. */
export interface WorkerService {
  /** The queues that it serves. */
  queues: string[];
  /** Resolves when all of them are connected. */
  ready: Promise<unknown>;
  /** Takes no new job, lets the running ones end within `SHUTDOWN_GRACE_MS`, hands the rest back. */
  close(): Promise<void>;
  /** For a process that is about to end of an error: hands everything that runs back at once, but for what caused it. */
  crash(): Promise<void>;
}

/**
 * Puts a worker together and has it take jobs.
 * @throws StartError, UnusableRedisError where it cannot
 */
export async function openWorker(options: WorkerServiceOptions): Promise<WorkerService> {
  const { config, registry, log, onFatal } = options;
  const plan = planQueues(registry, config.QUEUE_NAME);
  const queues = queuesToServe(plan, registry, config.WORKER_JOBS);
  const connection = await connectHeadway(config, 'patient', log, registry, workerScripts);
  const { redis, queuePrefix, openQueue, publisher, batch, readJob, keep, isHeld } = connection;
  await mkdir(config.FILES_DIR, { recursive: true });
  const files = fileStoreOptions(config);
  const store = openFileStore(files);
  const limits = {
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    partialMaxBytes: config.PARTIAL_MAX_BYTES,
    logLines: config.JOB_LOG_LINES,
  };
  const basePath = basePathOf(config.PUBLIC_URL);
  const threads = createThreads({
    max: threadCount(config),
    setup: { files, limits, basePath, clock: serverClockCell() },
    log,
  });
  const bullmqRedis = connectRedis(config.REDIS_URL, 'bullmq');
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
  const deliverWebhook = createDeliver({
    store: connection.webhooks,
    policy: webhookPolicy(config),
    secret: await defaultSecret(config, process.env.NODE_ENV === 'production'),
    timeoutMs: config.WEBHOOK_TIMEOUT_MS,
  });
  const commandsRedis = connectRedis(config.REDIS_URL, 'subscriber');
  const running = new RunningJobs();
  const { process: processor, runs } = createProcessor({
    registry,
    redis,
    queuePrefix,
    reconciler,
    publisher,
    presence: createWatcherQuery({ redis, hub: commandsRedis, prefix: config.KEY_PREFIX }),
    batch,
    store,
    basePath,
    keep,
    limits,
    threads,
    services: { deliverWebhook },
    children,
    lockMs: config.LOCK_DURATION_MS,
    maxStalls: config.MAX_STALLS,
    running,
    log,
  });
  const workers = createWorkers({
    config,
    connection: bullmqRedis,
    queuePrefix,
    plan,
    queues,
    processor,
  });
  for (const worker of workers) {
    const jobIdIn = (id: string): string => jobIdOf({ queue: worker.name, id });
    worker.on('error', (error) => log.error({ err: error }, 'the worker met an error'));
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) runs.get(jobIdIn(id))?.lose(lockLost());
    });
    // The bridge tells the end too; this is only sooner.
    const published = (id: string | undefined): void => {
      if (id === undefined) return;
      children.reconciler
        .reconcile(jobIdIn(id))
        .catch((error) => log.warn({ err: error, id }, 'could not reconcile'));
    };
    worker.on('completed', (job) => published(job.id));
    worker.on('failed', (job) => published(job?.id));
  }

  watchControl({
    redis: commandsRedis,
    prefix: config.KEY_PREFIX,
    verb: 'cancel',
    onMessage: (jobId) => runs.get(jobId)?.stop(cancelled()),
    async onGap() {
      await connection.faults.each('look at', [...runs.keys()], async (jobId) => {
        if ((await readJob(jobId))?.cancelAsked) runs.get(jobId)?.stop(cancelled());
      });
    },
    log,
  });

  const reporting = startProcessReporting({
    redis,
    publishing: connection.publishing,
    prefix: config.KEY_PREFIX,
    sharded: connection.server.sharded,
    role: 'worker',
    describe: () => ({
      running: running.size,
      queues: workers.map(({ name, concurrency }) => ({ name, concurrency })),
    }),
    jobs: running,
    log,
  });
  const housekeeping = startHousekeeping({
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
  const sweeper = setInterval(() => {
    store.sweep(isHeld).catch((error) => log.warn({ err: error }, 'could not sweep the files'));
  }, SWEEP_MS);

  const releaseUncaught = claimUncaught({ log, onFatal });

  /** @param graceMs what runs may go on for this long */
  async function stop(graceMs: number): Promise<void> {
    clearInterval(sweeper);
    await stopWorkers(workers, runs, graceMs, () => redis.status !== 'ready', log);
    await threads.close();
    await Promise.all([housekeeping.stop(), children.watch.stop()]);
    // While Redis is away its commands wait, and what is counted is not worth waiting for.
    if (redis.status === 'ready') await connection.outcomes.flush();
    await reporting.stop();
    releaseUncaught();
    connection.disconnect();
    bullmqRedis.disconnect();
    commandsRedis.disconnect();
  }

  return {
    queues,
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())),
    close: () => stop(config.SHUTDOWN_GRACE_MS),
    async crash() {
      runs.crash();
      await stop(0);
    },
  };
}
