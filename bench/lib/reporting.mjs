// Simulates running jobs in the index and in worker processes, without a queue.
import { startMeasured } from './processes.mjs';

const idOf = (i) => `render.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** Adds `count` jobs to sets of the index, the first job as the newest. */
export async function indexJobs(redis, count, keys) {
  const now = Date.now();
  const members = Array.from({ length: count }, (_, i) => [now - i, idOf(i)]);
  for (const key of keys) await redis.zadd(key, ...members.flat());
}

/** Starts worker processes that share the jobs, each of which reports every `intervalMs`. @param owner of the jobs */
export const startReporting = (redis, { workers, jobs, intervalMs, owner }) =>
  Promise.all(
    Array.from({ length: workers }, (_, i) =>
      startMeasured('bench/peers/reporting-worker.mjs', {
        REDIS_URL: redis.url,
        JOBS: String(jobs / workers),
        INTERVAL_MS: String(intervalMs),
        FIRST: String((i * jobs) / workers),
        ...(owner ? { OWNER: owner } : {}),
      }),
    ),
  );
