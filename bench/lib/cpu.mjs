// CPU time of the processes of an installation.

/** Returns the CPU time so far, in µs by process, and the time of the look in ms. */
export async function cpuOf({ api, workers = [], redis }) {
  const [apiUs, ...workersUs] = await Promise.all(
    [api, ...workers].map(async (process) => (await process.probe()).cpuUs),
  );
  const workerUs = workersUs.reduce((sum, us) => sum + us, 0);
  const redisUs = redis.cpuUs();
  return {
    at: performance.now(),
    api: apiUs,
    worker: workerUs,
    redis: redisUs,
    sum: apiUs + workerUs + redisUs,
  };
}

/** Returns the CPU time per unit between two looks, in µs by process. */
export const perUnit = (before, after, units) =>
  Object.fromEntries(
    ['api', 'worker', 'redis', 'sum'].map((process) => [process, (after[process] - before[process]) / units]),
  );

/** The cells of `perUnit` for a table with the columns API, worker, Redis and sum. */
export const cpuCells = (cpu) => ['api', 'worker', 'redis', 'sum'].map((process) => cpu[process].toFixed(1));
