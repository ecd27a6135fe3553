import type { Redis } from 'ioredis';
import { createWorkerCensus, type WorkerCensus } from '../bullmq/worker-census.js';
import { type Batch, createBatcher } from '../channel/batch.js';
import { createPublisher, type Publisher } from '../channel/publisher.js';
import { createOutcomeCounter, type OutcomeCounter } from '../dashboard/counter.js';
import type { HeldFiles } from '../files/store.js';
import { createHeldFiles } from '../job-index/held-files.js';
import { createTracker } from '../job-index/tracker.js';
import type { OpenQueue } from '../jobs/queues.js';
import type { Registry } from '../jobs/registry.js';
import { createRetentionTimes, type RetentionTimes } from '../jobs/retention-times.js';
import { createJobFaults, type JobFaults } from '../lifecycle/job-faults.js';
import type { ObservableReconciler } from '../lifecycle/observers.js';
import { createReconciler } from '../lifecycle/reconcile.js';
import { createSnapshotReader, type SnapshotReader, withCensus } from '../lifecycle/snapshot.js';
import type { Config } from '../process/config.js';
import type { Logger } from '../process/log.js';
import { basePathOf } from '../process/public-url.js';
import {
  type ConnectionRole,
  checkRedis,
  connectRedis,
  type RedisServer,
  waitUntilReady,
} from '../redis/connect.js';
import type { LuaScript } from '../redis/scripts.js';
import { keepServerClock } from '../redis/server-clock.js';
import { haveSameRun } from '../redis/server-run.js';
import { createWebhookQueue } from '../webhooks/delivery.js';
import { createWebhookStore, type WebhookStore } from '../webhooks/store.js';
import { createQueues } from './queues.js';
import { sharedScripts } from './scripts.js';

/** What every process of Headway has: a connection, the channels and the lifecycle of jobs. */
export interface Connection {
  redis: Redis;
  /** The connection for publishing: a worker has one of its own, on which nothing is sent again but by the publisher. */
  publishing: Redis;
  server: RedisServer;
  /** The prefix of BullMQ's keys. */
  queuePrefix: string;
  /** Opens a queue. Every caller of a process gets the same one. */
  openQueue: OpenQueue;
  publisher: Publisher;
  /** Makes calls to Redis that are reports, in groups where there are many. */
  batch: Batch;
  readJob: SnapshotReader;
  /** Reads a job and keeps the index of jobs right by the way. */
  trackJob: SnapshotReader;
  /** Which queues have a worker; for an API process. */
  census: WorkerCensus | undefined;
  keep: RetentionTimes;
  /** Whether a job holds a file. */
  isHeld: HeldFiles;
  /** Publishes the events of jobs, calls webhooks and counts. The services add further observers to it. */
  reconciler: ObservableReconciler;
  /** Counts what ends, for the dashboard. */
  outcomes: OutcomeCounter;
  webhooks: WebhookStore;
  disconnect(): void;
  /** Remembers which jobs this process has stepped over. */
  faults: JobFaults;
}

/** What a worker reports goes out in groups that are this far apart. */
const BATCH_MS = 10;
/** The channel of a job that has not ended outlives any silence up to this, in ms: its log is not a finished job's. */
const UNFINISHED_MS = 30 * 24 * 3_600_000;

/**
 * Connects to Redis and checks that it can be used.
 * @param ownScripts the scripts that only this kind of process calls
 * @throws UnusableRedisError when it cannot
 */
export async function connectHeadway(
  config: Config,
  role: ConnectionRole,
  log: Logger,
  registry: Registry,
  ownScripts: Record<string, LuaScript>,
): Promise<Connection> {
  const scripts = { ...sharedScripts, ...ownScripts };
  const redis = connectRedis(config.REDIS_URL, role, { scripts });
  const server = await checkRedis(redis, config.REDIS_URL).catch((error) => {
    redis.disconnect();
    throw error;
  });
  if (server.warning) log.warn(server.warning);
  logOutages(redis, log);
  const dropClock = keepServerClock(redis);
  const prefix = config.KEY_PREFIX;
  // A request is not kept waiting.
  const patient = role === 'patient';
  const batch: Batch = patient ? createBatcher(BATCH_MS) : (call) => call();
  const publishing = patient ? connectRedis(config.REDIS_URL, 'report', { scripts }) : redis;
  // The server has been checked already: this connection only has to be there.
  await waitUntilReady(publishing, config.REDIS_URL).catch((error) => {
    dropClock();
    redis.disconnect();
    publishing.disconnect();
    throw error;
  });
  if (!haveSameRun(redis, publishing)) {
    log.warn(
      'Connections to Redis reach different servers: a Redis that lost its last writes is not recognised',
    );
  }
  const publisher = createPublisher({
    redis: publishing,
    prefix,
    logLength: config.CHANNEL_LOG_LENGTH,
    ttlMs: config.KEEP_JOBS_MS,
    unfinishedTtlMs: Math.max(UNFINISHED_MS, config.KEEP_JOBS_MS),
    sharded: server.sharded,
    batch,
  });
  // The braces make it one slot of a Redis Cluster.
  const queuePrefix = `{${prefix}}`;
  // Only an API process tells viewers whether there are workers; a worker knows of itself.
  const census = patient ? undefined : createWorkerCensus(redis, prefix, queuePrefix);
  const counted = (read: SnapshotReader): SnapshotReader => (census ? withCensus(read, census) : read);
  const readJob = counted(createSnapshotReader(redis, queuePrefix));
  const webhooks = createWebhookStore(redis, prefix, config.KEEP_JOBS_MS);
  const openQueue = createQueues(redis, queuePrefix, (error) =>
    log.debug({ err: error }, 'a queue met an error'),
  );
  const webhookQueue = createWebhookQueue({
    redis,
    prefix,
    openQueue,
    store: webhooks,
    basePath: basePathOf(config.PUBLIC_URL),
  });
  const keep = createRetentionTimes(config, registry);
  const outcomes = createOutcomeCounter(redis, prefix);
  const trackJob = counted(createTracker({ redis, queuePrefix, keep }));
  return {
    redis,
    publishing,
    server,
    queuePrefix,
    openQueue,
    publisher,
    batch,
    readJob,
    trackJob,
    census,
    keep,
    isHeld: createHeldFiles({ redis, queuePrefix, readJob }),
    reconciler: createReconciler({
      redis,
      prefix,
      publisher,
      readJob: trackJob,
      queuePrefix,
      keep,
      observers: [webhookQueue, outcomes],
    }),
    outcomes,
    webhooks,
    disconnect() {
      dropClock();
      redis.disconnect();
      publishing.disconnect();
    },
    faults: createJobFaults(log),
  };
}

/** One line when Redis goes, one when it is back. */
function logOutages(redis: Redis, log: Logger): void {
  let away = false;
  // Not 'close': that we let go of it is no outage.
  redis.on('reconnecting', () => {
    if (!away) log.warn('Redis is away');
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.info('Redis is back');
    away = false;
  });
}
