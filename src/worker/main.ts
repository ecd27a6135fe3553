import { mkdir } from 'node:fs/promises';
import { Worker } from 'bullmq';
import { readConfig } from '../shared/config.js';
import { connectHeadway } from '../shared/connection.js';
import { openFileStore } from '../shared/files/store.js';
import { startBridge } from '../shared/lifecycle/bridge.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { connectRedis } from '../shared/redis.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { createProcessor, StopReason } from './processor.js';
import { stopWorker } from './shutdown.js';

const SWEEP_MS = 10 * 60_000;

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'worker');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const connection = await connectHeadway(config, 'patient', log);
  const { redis, queue, publisher, gather, lifecycle } = connection;
  await mkdir(config.FILES_DIR, { recursive: true });
  const store = openFileStore({
    dir: config.FILES_DIR,
    ttlMs: config.FILES_TTL_MS,
    minFreeBytes: config.FILES_MIN_FREE_BYTES,
    maxBytes: config.UPLOAD_MAX_BYTES,
  });

  const processor = createProcessor({
    registry,
    lifecycle,
    publisher,
    gather,
    store,
    progressIntervalMs: config.PROGRESS_INTERVAL_MS,
    log,
  });
  const bullmqRedis = connectRedis(config.REDIS_URL, 'bullmq');
  const keep = { age: config.KEEP_JOBS_MS / 1000 };
  const worker = new Worker(queue.queue, processor, {
    connection: bullmqRedis,
    prefix: queue.prefix,
    concurrency: config.WORKER_CONCURRENCY,
    lockDuration: config.LOCK_DURATION_MS,
    stalledInterval: config.STALLED_INTERVAL_MS,
    maxStalledCount: config.MAX_STALLS,
    removeOnComplete: keep,
    removeOnFail: keep,
  });
  worker.on('error', (error) => log.error({ err: error }, 'the worker met an error'));
  worker.on('lockRenewalFailed', (ids) => {
    for (const id of ids)
      worker.cancelJob(id, new StopReason('lock-lost', 'another worker may have this job') as never);
  });
  // The bridge tells the end too; this is only sooner.
  const told = (jobId: string | undefined): void => {
    if (jobId)
      lifecycle.reconcile(jobId).catch((error) => log.warn({ err: error, jobId }, 'could not reconcile'));
  };
  worker.on('completed', (job) => told(job.id));
  worker.on('failed', (job) => told(job?.id));

  const bridge = startBridge({
    role: 'worker',
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix: config.KEY_PREFIX,
    keys: queue,
    lifecycle,
    log,
  });
  const sweeper = setInterval(() => {
    store.sweep().catch((error) => log.warn({ err: error }, 'could not sweep the files'));
  }, SWEEP_MS);

  onShutdown(log, async () => {
    clearInterval(sweeper);
    await stopWorker(worker, config.SHUTDOWN_GRACE_MS, log);
    await bridge.stop();
    redis.disconnect();
    bullmqRedis.disconnect();
  });
  await worker.waitUntilReady();
  log.info({ jobs: [...registry.keys()], concurrency: config.WORKER_CONCURRENCY }, 'ready');
  announce({ type: 'ready' });
});
