import { mkdir } from 'node:fs/promises';
import { Queue, Worker } from 'bullmq';
import { readConfig } from '../shared/config.js';
import { connectHeadway } from '../shared/connection.js';
import { openFileStore } from '../shared/files/store.js';
import { startBridge } from '../shared/lifecycle/bridge.js';
import { createExpiry } from '../shared/lifecycle/expiry.js';
import { createWithdrawal } from '../shared/lifecycle/withdraw.js';
import { createLogger } from '../shared/log.js';
import { announce, onShutdown, runMain } from '../shared/process.js';
import { connectRedis } from '../shared/redis.js';
import { builtInJobsDir, loadRegistry } from '../shared/registry.js';
import { listenForCommands } from './commands.js';
import { createProcessor } from './processor.js';
import { cancelled, StopReason } from './run.js';
import { stopWorker } from './shutdown.js';

const SWEEP_MS = 10 * 60_000;

await runMain(async () => {
  const config = readConfig(process.env);
  const log = createLogger(config, 'worker');
  const registry = await loadRegistry([builtInJobsDir, ...(config.JOBS_DIR ? [config.JOBS_DIR] : [])]);
  const connection = await connectHeadway(config, 'patient', log);
  const { redis, queue, publisher, gather, lifecycle, readJob } = connection;
  await mkdir(config.FILES_DIR, { recursive: true });
  const store = openFileStore({
    dir: config.FILES_DIR,
    ttlMs: config.FILES_TTL_MS,
    minFreeBytes: config.FILES_MIN_FREE_BYTES,
    maxBytes: config.UPLOAD_MAX_BYTES,
  });

  const { process: processor, runs } = createProcessor({
    registry,
    redis,
    keys: queue,
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
    for (const id of ids) runs.get(id)?.stop(new StopReason('lock-lost', 'another worker may have this job'));
  });
  // The bridge tells the end too; this is only sooner.
  const told = (jobId: string | undefined): void => {
    if (jobId)
      lifecycle.reconcile(jobId).catch((error) => log.warn({ err: error, jobId }, 'could not reconcile'));
  };
  worker.on('completed', (job) => told(job.id));
  worker.on('failed', (job) => told(job?.id));

  const commandsRedis = connectRedis(config.REDIS_URL, 'subscriber');
  listenForCommands({
    redis: commandsRedis,
    prefix: config.KEY_PREFIX,
    onCancel: (jobId) => runs.get(jobId)?.stop(cancelled()),
    async onGap() {
      for (const [jobId, run] of runs) if ((await readJob(jobId))?.cancelling) run.stop(cancelled());
    },
    log,
  });

  const withdrawal = createWithdrawal({
    redis,
    queue: new Queue(queue.queue, { connection: bullmqRedis, prefix: queue.prefix }),
    keys: queue,
    lifecycle,
    prefix: config.KEY_PREFIX,
  });
  const expiry = createExpiry(redis, config.KEY_PREFIX);
  const bridge = startBridge({
    role: 'worker',
    redis,
    connect: () => connectRedis(config.REDIS_URL, 'patient'),
    prefix: config.KEY_PREFIX,
    keys: queue,
    lifecycle,
    chore: () => expiry.sweep(withdrawal),
    log,
  });
  const sweeper = setInterval(() => {
    store.sweep().catch((error) => log.warn({ err: error }, 'could not sweep the files'));
  }, SWEEP_MS);

  onShutdown(log, async () => {
    clearInterval(sweeper);
    await stopWorker(worker, runs, config.SHUTDOWN_GRACE_MS, log);
    await bridge.stop();
    redis.disconnect();
    bullmqRedis.disconnect();
    commandsRedis.disconnect();
  });
  await worker.waitUntilReady();
  log.info({ jobs: [...registry.keys()], concurrency: config.WORKER_CONCURRENCY }, 'ready');
  announce({ type: 'ready' });
});
