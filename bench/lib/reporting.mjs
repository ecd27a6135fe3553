// Jobs that run and report, as the index and worker processes tell of them, without a queue.
import { startMeasured } from './processes.mjs';

const idOf = (i) => `render.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** Puts so many jobs into sets of the index, the first one as the newest. */
export async function indexJobs(redis, count, keys) {
  const now = Date.now();
  const members = Array.from({ length: count }, (_, i) => [now - i, idOf(i)]);
  for (const key of keys) await redis.zadd(key, ...members.flat());
}

/** Worker processes that run those jobs among them, each reporting every so many ms. @param owner whose they are */
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
