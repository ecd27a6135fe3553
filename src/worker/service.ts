import { RunningJobs } from '../shared/dashboard/running.js';
import { planQueues } from '../shared/jobs/queues.js';
import type { Registry } from '../shared/jobs/registry.js';
import { workerActiveJobs } from '../shared/metrics/job-metrics.js';
import { CloseStack } from '../shared/process/close-stack.js';
import type { Config } from '../shared/process/config.js';
import type { Logger } from '../shared/process/log.js';
import { VERSION } from '../shared/process/version.js';
import { connectRedis, connectSubscriber } from '../shared/redis/connect.js';
import { connectHeadway, type Waiting } from '../shared/runtime/connection.js';
import { openFiles } from '../shared/runtime/files.js';
import { openMetrics } from '../shared/runtime/metrics.js';
import { startTracing } from '../shared/tracing/start.js';
import { flushIfReady, openHousekeeping, startReporting, startSweeper } from './background.js';
import type { Core } from './core.js';
import { createRunHistory } from './estimates/run-history.js';
import { openLifecycle } from './open-lifecycle.js';
import { openProcessor, openThreads } from './open-processor.js';
import { openWorkers, watchCancels } from './open-workers.js';
import { workerScripts } from './run/scripts.js';
import { stopWorkers } from './run/shutdown.js';
import { claimUncaught } from './run/uncaught.js';
import { queuesToServe } from './run/workers.js';
import { defaultSecrets } from './webhooks/default-secret.js';

export interface WorkerServiceOptions {
  config: Config;
  registry: Registry;
  /**
   * Called with an uncaught error that cannot be assigned to a job. Without it, such errors are left to the process.
   */
  onFatal?: (error: unknown) => void;
  /** Called when a newer release has changed the data in Redis. Without it, the worker hands its jobs back and closes. */
  onUnusable?: () => void;
  /** Whether the worker is part of another program, which serves its own metrics. Defaults to `false`. */
  embedded?: boolean;
  waiting?: Waiting;
  log: Logger;
}

/** A running worker. */
export interface WorkerService {
  /** Names of the queues that it serves. */
  queues: string[];
  /** The address of the metrics, if they have a port of their own. */
  metrics: string | undefined;
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
  onUnusable,
  embedded = false,
  waiting,
}: WorkerServiceOptions): Promise<WorkerService> {
  const plan = planQueues(registry, config.QUEUE_NAME);
  const queues = queuesToServe(plan, registry, config);
  const opened = new CloseStack();
  opened.defer(await startTracing({ role: 'worker', embedded, version: VERSION, log }));

  const connection = await connectHeadway({
    config,
    role: 'patient',
    log,
    registry,
    ownScripts: workerScripts,
    onUnusable: onUnusable ?? ((): void => void stopWithin(0)),
    waiting,
  });
  opened.defer(() => connection.disconnect());
  const bullmqRedis = connectRedis(config, 'bullmq');
  opened.defer(() => bullmqRedis.disconnect());
  const commandsRedis = connectSubscriber(config);
  opened.defer(() => commandsRedis.disconnect());
  const webhookSecrets = await defaultSecrets(config, process.env.NODE_ENV === 'production', log);
  const store = await openFiles(config, { patient: true, log, waiting });
  const core: Core = { config, registry, plan, connection, bullmqRedis, commandsRedis, store, log };
  opened.defer(claimUncaught({ log, onFatal }));

  const running = new RunningJobs();
  const reporting = opened.adopt(startReporting(core, queues, running), (reporting) => reporting.stop());
  opened.defer(() => flushIfReady(connection, connection.outcomes));
  const lifecycle = openLifecycle(core);
  const threads = openThreads(core);
  opened.defer(() => threads.close());
  const history = createRunHistory(connection.redis, connection.keyspace, registry.keys(), log);
  // Not awaited: jobs that begin before the reply are estimated from their own speed.
  void history.flush();
  opened.defer(() => flushIfReady(connection, history));
  const processor = openProcessor(core, lifecycle, threads, running, history, webhookSecrets);
  const { runs } = processor;
  watchCancels(core, runs);
  const housekeeping = openHousekeeping(core, lifecycle, reporting);
  opened.defer(() => Promise.all([housekeeping.stop(), lifecycle.children.watch.stop()]));
  const sweeper = startSweeper(core);
  // Do not wait for a sweep: it may itself be waiting for Redis.
  opened.defer(() => void sweeper.stop());
  opened.defer(workerActiveJobs.from(() => [{ labels: [], value: running.size }]));
  const metrics = await openMetrics(core, { role: 'worker', embedded });
  opened.defer(metrics.close);
  const workers = openWorkers(core, lifecycle, queues, processor);

  /** Running jobs get `graceMs` to finish; the others are handed back. Everything else is closed afterwards. */
  async function stopWithin(graceMs: number): Promise<void> {
    await stopWorkers(workers, runs, graceMs, () => connection.redis.status !== 'ready', log);
    await opened.close();
  }
  return {
    queues: queues.map(({ name }) => name),
    metrics: metrics.url,
    ready: Promise.all(workers.map((worker) => worker.waitUntilReady())),
    close: () => stopWithin(config.SHUTDOWN_GRACE_MS),
    async crash() {
      runs.crash();
      await stopWithin(0);
    },
  };
}
