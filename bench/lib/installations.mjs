// Headway and the plain peer (Express, BullMQ and better-sse): API, worker and a Redis of their own, as whole processes.
import { fileURLToPath } from 'node:url';
import { createKeyspace } from '../../dist/shared/keyspace.js';
import { inShard } from '../../dist/shared/shards.js';
import { startMeasured, startRedis, temporaryFolder } from './processes.mjs';

const keyspace = createKeyspace('headway');
const jobsDir = fileURLToPath(new URL('../job-files', import.meta.url));

/**
 * Starts Headway with the jobs of `bench/job-files`.
 * @param options.workers the number of worker processes
 * @param options.concurrency of the worker
 * @param options.env further settings
 * @param options.redis the options of `startRedis`, or a server or Cluster that is running
 * @param options.shards `QUEUE_SHARDS`
 */
export async function startHeadway({
  workers = 1,
  concurrency = 32,
  env = {},
  shards = 1,
  redis: given,
} = {}) {
  const redis = given?.url ? given : await startRedis(given);
  const settings = {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'x'.repeat(32),
    JOBS_DIR: jobsDir,
    WORKER_CONCURRENCY: String(concurrency),
    // Every benchmark would reach a limit.
    LIMIT_LOOPBACK: 'off',
    LIMIT_STREAMS_PROCESS: '0',
    ...env,
  };
  return installation({
    name: 'Headway',
    redis,
    api: await startMeasured('dist/api/main.js', settings),
    workers: await startWorkers(workers, 'dist/worker/main.js', settings),
    settings,
    jobsPath: '/v1/jobs',
    batchPath: '/v1/jobs:batch',
    completedKeys: (kind) =>
      Array.from({ length: shards }, (_, shard) => keyspace.queueKey(inShard(kind, shard), 'completed')),
  });
}

/** Starts the plain peer. Takes the same options. */
export async function startPlain({ workers = 1, concurrency = 32 } = {}) {
  const redis = await startRedis();
  const settings = { REDIS_URL: redis.url, CONCURRENCY: String(concurrency) };
  return installation({
    name: 'plain BullMQ',
    redis,
    api: await startMeasured('bench/peers/bullmq-api.mjs', settings),
    workers: await startWorkers(workers, 'bench/peers/bullmq-worker.mjs', settings),
    settings,
    jobsPath: '/jobs',
    batchPath: '/batch',
    completedKeys: () => ['bull:peer:completed'],
  });
}

const startWorkers = (count, script, settings) =>
  Promise.all(Array.from({ length: count }, () => startMeasured(script, settings)));

function installation(parts) {
  return {
    ...parts,
    /** The number of jobs of a kind that BullMQ has completed. */
    async countCompleted(kind) {
      const counts = await Promise.all(parts.completedKeys(kind).map((key) => parts.redis.client.zcard(key)));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    async stop() {
      await Promise.all([parts.api, ...parts.workers].map((process) => process.stop()));
      await parts.redis.stop();
    },
  };
}
