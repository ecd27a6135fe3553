import { createWorkerCensus, type WorkerCensus } from '../bullmq/worker-census.js';
import { type Batch, createBatcher } from '../channel/batch.js';
import { createPublisher, type Publisher } from '../channel/publisher.js';
import { createOutcomeCounter, type OutcomeCounter } from '../dashboard/counter.js';
import type { HeldFiles } from '../files/sweep.js';
import { checkInstallation, watchFormat } from '../format/format.js';
import { createHeldFiles } from '../job-index/held-files.js';
import { createTracker } from '../job-index/tracker.js';
import { type OpenQueue, planQueues } from '../jobs/queues.js';
import type { Registry } from '../jobs/registry.js';
import { createRetentionTimes, type RetentionTimes } from '../jobs/retention-times.js';
import { createKeyspace, type Keyspace } from '../keyspace.js';
import { createJobCounter } from '../lifecycle/job-counter.js';
import { createJobFaults, type JobFaults } from '../lifecycle/job-faults.js';
import type { ObservableReconciler } from '../lifecycle/observers.js';
import { createReconciler } from '../lifecycle/reconcile.js';
import { createSnapshotReader, type SnapshotReader, withCensus } from '../lifecycle/snapshot.js';
import { findMissingPermissions } from '../permissions/check.js';
import type { Config } from '../process/config.js';
import type { Logger } from '../process/log.js';
import { basePathOf } from '../process/public-url.js';
import { keepServerClock } from '../redis/ask-server-time.js';
import { type AwaitOptions, awaitRedis, type RedisServer, whileAway } from '../redis/await.js';
import type { RedisClient } from '../redis/client.js';
import { type ConnectionRole, connectRedis } from '../redis/connect.js';
import { onDenied } from '../redis/denied.js';
import type { LuaScript } from '../redis/scripts.js';
import { haveSameRun } from '../redis/server-run.js';
import { redactRedisUrl, UnusableRedisError } from '../redis/unusable.js';
import { createWebhookQueue } from '../webhooks/delivery.js';
import { createWebhookStore, type WebhookStore } from '../webhooks/store.js';
import { createQueues } from './queues.js';
import { sharedScripts } from './scripts.js';
import { recordShards, watchShards } from './shards.js';

/** The parts that every process of Headway shares: connections to Redis, channels and the lifecycle of jobs. */
export interface Connection {
  redis: RedisClient;
  /** The connection for publishing. A worker has a separate one, on which only the publisher repeats commands. */
  publishing: RedisClient;
  server: RedisServer;
  keyspace: Keyspace;
  /** Opens a queue. All callers in a process get the same queue object. */
  openQueue: OpenQueue;
  publisher: Publisher;
  /** Makes the calls to Redis that report progress. A worker batches them. */
  batch: Batch;
  readJob: SnapshotReader;
  /** Reads a job and updates the job index in the same step. */
  trackJob: SnapshotReader;
  /** Knows which queues have a worker. */
  census: WorkerCensus;
  keep: RetentionTimes;
  /** Returns whether a job holds a file. */
  isHeld: HeldFiles;
  /** Publishes the events of jobs, queues webhooks and counts ended jobs. The services add further observers to it. */
  reconciler: ObservableReconciler;
  /** Counts finished jobs for the dashboard. */
  outcomes: OutcomeCounter;
  webhooks: WebhookStore;
  disconnect(): void;
  /** Records the jobs that this process has skipped because of an error. */
  faults: JobFaults;
}

/** What to do while Redis is away at the start: see {@link AwaitOptions}. */
export type Waiting = Pick<AwaitOptions, 'onWait' | 'signal'>;

/** The time between two batches of a worker's reports, in ms. */
const BATCH_MS = 2;
/** How long the channel of an unfinished job is kept without new events, in ms. */
const UNFINISHED_MS = 30 * 24 * 3_600_000;

export interface ConnectionOptions {
  config: Config;
  role: ConnectionRole;
  log: Logger;
  registry: Registry;
  /** The scripts that only this kind of process calls. */
  ownScripts: Record<string, LuaScript>;
  /**
   * Called after a fatal log line when this release can no longer use the data in Redis, because a newer release has
   * changed it.
   */
  onUnusable: () => void;
  waiting?: Waiting | undefined;
}

/**
 * Connects to Redis and checks that Headway can use it. A server that is away is waited for, with a warning every few seconds.
 * @throws UnusableRedisError or DataFormatError if Headway cannot use it, or when the wait is ended
 */
export async function connectHeadway(options: ConnectionOptions): Promise<Connection> {
  const { config, role, log, registry, ownScripts, onUnusable, waiting = {} } = options;
  const scripts = { ...sharedScripts, ...ownScripts };
  const keyspace = createKeyspace(config.KEY_PREFIX, config.QUEUE_SHARDS);
  const redis = connectRedis(config, role, { scripts });
  const patience: AwaitOptions = {
    url: config.REDIS_URL,
    onWait(line) {
      log.warn(line);
      waiting.onWait?.(line);
    },
    signal: waiting.signal,
  };
  const forgetDenied = onDenied((reply) => log.warn(`the user of Redis lacks a permission: ${reply}`));
  const server = await checkServer(redis, patience, keyspace).catch((error) => {
    forgetDenied();
    redis.disconnect();
    throw error;
  });
  if (server.warning) log.warn(server.warning);
  logOutages(redis, log);
  const dropClock = keepServerClock(redis, keyspace);
  // In an API process, requests do not wait for a batch.
  const patient = role === 'patient';
  const batch: Batch = patient ? createBatcher(BATCH_MS) : (call) => call();
  // The publisher groups what it sends, so a pipeline around it would only cost time.
  const publishing = patient
    ? connectRedis(config, 'report', { scripts, enableAutoPipelining: false })
    : redis;
  // The server has been checked already: this connection only has to be ready.
  await awaitRedis(publishing, patience).catch((error) => {
    forgetDenied();
    dropClock();
    redis.disconnect();
    publishing.disconnect();
    throw error;
  });
  if (!haveSameRun(redis, publishing)) {
    log.warn('Connections to Redis reach different servers: lost writes cannot be detected');
  }
  const formatWatch = watchFormat(redis, keyspace, (error) => {
    log.fatal(error.message);
    onUnusable();
  });
  const publisher = createPublisher({
    redis: publishing,
    keyspace,
    logLength: config.CHANNEL_LOG_LENGTH,
    ttlMs: config.KEEP_JOBS_MS,
    unfinishedTtlMs: Math.max(UNFINISHED_MS, config.KEEP_JOBS_MS),
    sharded: server.sharded,
    batch: patient ? batch : undefined,
  });
  // Only an API process reports to viewers whether a queue has workers.
  const census = createWorkerCensus(redis, keyspace);
  const counted = (read: SnapshotReader): SnapshotReader => (patient ? read : withCensus(read, census));
  const readJob = counted(createSnapshotReader(redis, keyspace));
  const webhooks = createWebhookStore(redis, keyspace, config.KEEP_JOBS_MS);
  const openQueue = createQueues(redis, keyspace, (error) => log.debug({ err: error }, 'queue error'));
  const queues = planQueues(registry, config.QUEUE_NAME).names;
  const [firstQueue] = queues;
  // With its first queue, BullMQ adds its scripts to the connection. A pipeline that is open then would not know them.
  if (firstQueue !== undefined) await openQueue(firstQueue).waitUntilReady();
  const joining = { redis, keyspace, openQueue, queues };
  await whileAway(redis, patience, () => recordShards(joining)).catch((error) => {
    void formatWatch.stop();
    forgetDenied();
    dropClock();
    redis.disconnect();
    publishing.disconnect();
    throw error;
  });
  const shardWatch = watchShards({ ...joining, log });
  const webhookQueue = createWebhookQueue({
    redis,
    keyspace,
    openQueue,
    store: webhooks,
    basePath: basePathOf(config.PUBLIC_URL),
  });
  const keep = createRetentionTimes(config, registry);
  const outcomes = createOutcomeCounter(redis, keyspace);
  const trackJob = counted(createTracker({ redis, keyspace, keep }));
  return {
    redis,
    publishing,
    server,
    keyspace,
    openQueue,
    publisher,
    batch,
    readJob,
    trackJob,
    census,
    keep,
    isHeld: createHeldFiles({ redis, keyspace, readJob }),
    reconciler: createReconciler({
      redis,
      keyspace,
      publisher,
      readJob: trackJob,
      keep,
      observers: [webhookQueue, outcomes, createJobCounter(registry)],
    }),
    outcomes,
    webhooks,
    disconnect() {
      void formatWatch.stop();
      void shardWatch.stop();
      forgetDenied();
      dropClock();
      redis.disconnect();
      publishing.disconnect();
    },
    faults: createJobFaults(log),
  };
}

/**
 * Checks the server, the user's permissions and the data.
 * @throws UnusableRedisError, DataFormatError
 */
async function checkServer(
  redis: RedisClient,
  patience: AwaitOptions,
  keyspace: Keyspace,
): Promise<RedisServer> {
  const server = await checkInstallation(redis, patience, keyspace);
  const { needed } = await whileAway(redis, patience, () => findMissingPermissions(redis, keyspace));
  if (needed.length === 0) return server;
  throw new UnusableRedisError(
    `the user of Redis at ${redactRedisUrl(patience.url)} lacks permissions: ${needed.join(', ')}. docs/operations/redis.md has the rules (ACL SETUSER)`,
  );
}

/** Logs one line when Redis becomes unavailable and one when it is back. */
function logOutages(redis: RedisClient, log: Logger): void {
  let away = false;
  const onLost = (node?: string): void => {
    if (!away) log.warn(node ? `Redis is unavailable at ${node}` : 'Redis is unavailable');
    away = true;
  };
  const onBack = (): void => {
    if (away) log.info('Redis is back');
    away = false;
  };
  // Not 'close', which also happens when this process closes the connection.
  redis.on('reconnecting', () => onLost());
  redis.on('ready', onBack);
  // The masters of a Cluster.
  redis.on('away', onLost);
  redis.on('back', onBack);
}
