// Headway and the plain peer (Express, BullMQ and better-sse): API, worker and a Redis of their own, as whole processes.
import { fileURLToPath } from 'node:url';
import { startMeasured, startRedis, temporaryFolder } from './processes.mjs';

const jobsDir = fileURLToPath(new URL('../job-files', import.meta.url));

/**
 * Starts Headway with the jobs of `bench/job-files`.
 * @param options.workers false for an API without a worker
 * @param options.concurrency of the worker
 * @param options.env further settings
 */
export async function startHeadway({ workers = true, concurrency = 32, env = {}, redis: options } = {}) {
  const redis = await startRedis(options);
  const settings = {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'x'.repeat(32),
    JOBS_DIR: jobsDir,
    WORKER_CONCURRENCY: String(concurrency),
    ...env,
  };
  return installation({
    name: 'Headway',
    redis,
    api: await startMeasured('dist/api/main.js', settings),
    worker: workers ? await startMeasured('dist/worker/main.js', settings) : undefined,
    settings,
    jobsPath: '/v1/jobs',
    batchPath: '/v1/jobs:batch',
    completedKey: (kind) => `{headway}:${kind}:completed`,
  });
}

/** Starts the plain peer. Takes the same options. */
export async function startPlain({ workers = true, concurrency = 32 } = {}) {
  const redis = await startRedis();
  const settings = { REDIS_URL: redis.url, CONCURRENCY: String(concurrency) };
  return installation({
    name: 'plain BullMQ',
    redis,
    api: await startMeasured('bench/peers/bullmq-api.mjs', settings),
    worker: workers ? await startMeasured('bench/peers/bullmq-worker.mjs', settings) : undefined,
    settings,
    jobsPath: '/jobs',
    batchPath: '/batch',
    completedKey: () => 'bull:peer:completed',
  });
}

function installation(parts) {
  const processes = [parts.api, parts.worker].filter(Boolean);
  return {
    ...parts,
    /** The number of jobs of a kind that BullMQ has completed. */
    countCompleted: (kind) => parts.redis.client.zcard(parts.completedKey(kind)),
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
      await parts.redis.stop();
    },
  };
}
