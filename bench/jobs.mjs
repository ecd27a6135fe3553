// Many jobs that report often: the cost of an update in API, worker and Redis, with and without viewers.

import { fileURLToPath } from 'node:url';
import { sleep, startMeasured, startRedis, temporaryFolder } from './lib/processes.mjs';
import { printTable } from './lib/table.mjs';

const JOBS = 200;
const INTERVAL_MS = 100;
/** Long enough for V8 to collect the garbage from starting the jobs. */
const WARM_UP_MS = 20_000;
const MEASURED_MS = 15_000;

async function startHeadway(redis, env = {}) {
  const settings = {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'x'.repeat(32),
    JOBS_DIR: fileURLToPath(new URL('./job-files', import.meta.url)),
    WORKER_CONCURRENCY: String(JOBS),
    ...env,
  };
  const [api, worker] = await Promise.all([
    startMeasured('dist/api/main.js', settings),
    startMeasured('dist/worker/main.js', settings),
  ]);
  const urls = [];
  for (let i = 0; i < JOBS; i++) {
    const response = await fetch(`${api.url}/v1/jobs`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'ticker', data: { intervalMs: INTERVAL_MS } }),
    });
    const job = await response.json();
    urls.push(`${api.url}${job.links.events}?token=${job.token}`);
  }
  return { api, worker, urls };
}

async function startBullMq(redis) {
  const env = { REDIS_URL: redis.url, JOBS: String(JOBS), INTERVAL_MS: String(INTERVAL_MS) };
  const [api, worker] = await Promise.all([
    startMeasured('bench/peers/bullmq-api.mjs', env),
    startMeasured('bench/peers/bullmq-worker.mjs', env),
  ]);
  const response = await fetch(`${api.url}/jobs`, { method: 'POST' });
  return { api, worker, urls: (await response.json()).map((id) => `${api.url}/jobs/${id}`) };
}

async function measure(start, watched = true) {
  const redis = await startRedis();
  const { api, worker, urls } = await start(redis);
  const viewers = await startMeasured('bench/lib/viewers.mjs', {});
  if (watched) {
    viewers.send({ open: urls });
    await viewers.next();
  }
  await sleep(WARM_UP_MS);
  const sample = async () => {
    viewers.send({ count: true });
    const [{ frames }, a, w] = [await viewers.next(), await api.probe(), await worker.probe()];
    return { at: performance.now(), frames, api: a.cpuUs, worker: w.cpuUs, redis: redis.cpuUs() };
  };
  const before = await sample();
  await sleep(MEASURED_MS);
  const after = await sample();
  await Promise.all([api.stop(), worker.stop(), viewers.stop()]);
  await redis.stop();
  const updates = (JOBS * (after.at - before.at)) / INTERVAL_MS;
  const per = (name) => (after[name] - before[name]) / updates;
  return {
    delivered: (after.frames - before.frames) / updates,
    api: per('api'),
    worker: per('worker'),
    redis: per('redis'),
    sum: per('api') + per('worker') + per('redis'),
  };
}

export async function jobs() {
  console.log(
    `\njobs: ${JOBS} jobs with ${1000 / INTERVAL_MS} updates a second each, one viewer a job; µs CPU per update`,
  );
  const rows = [
    ['BullMQ QueueEvents + better-sse', await measure(startBullMq)],
    ['Headway, coalescing off', await measure((redis) => startHeadway(redis, { PROGRESS_INTERVAL_MS: '0' }))],
    [
      'Headway, without viewers',
      await measure((redis) => startHeadway(redis, { PROGRESS_INTERVAL_MS: '0' }), false),
    ],
  ];
  const [[, peer], [, ours], [, unwatched]] = rows;
  printTable([
    ['', 'API', 'worker', 'Redis', 'sum', '× peer', 'delivered'],
    ...rows.map(([name, row]) => [
      name,
      ...['api', 'worker', 'redis', 'sum'].map((key) => row[key].toFixed(1)),
      (row.sum / peer.sum).toFixed(2),
      `${(row.delivered * 100).toFixed(0)} %`,
    ]),
  ]);
  return {
    'jobs, CPU against QueueEvents + better-sse': [ours.sum / peer.sum, 0.6],
    'jobs without viewers, API CPU against watched': [unwatched.api / ours.api, 0.1],
  };
}
