// A worker process without a queue: its jobs report through the worker's progress code, and the process reports to the
// dashboard. Environment: REDIS_URL, JOBS, INTERVAL_MS, FIRST, and OWNER for jobs with an owner.

import { startProcessReporting } from '../../dist/shared/dashboard/reporting.js';
import { RunningJobs } from '../../dist/shared/dashboard/running.js';
import { createKeyspace } from '../../dist/shared/keyspace.js';
import { connectRedis } from '../../dist/shared/redis/connect.js';
import { sharedScripts } from '../../dist/shared/runtime/scripts.js';
import { createProgress } from '../../dist/worker/reporting/progress.js';

const { REDIS_URL, JOBS, INTERVAL_MS, FIRST, OWNER } = process.env;
/** The jobs report in this many slices of the interval. */
const SLICES = 10;
const TOTAL = 6000;

const redis = connectRedis(REDIS_URL, 'patient', { scripts: sharedScripts });
const running = new RunningJobs();
const jobs = Array.from({ length: Number(JOBS) }, (_, i) => {
  const id = `render.${(Number(FIRST) + i).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  running.begin({ id, name: 'render', owner: OWNER, attempt: 1, startedAt: Date.now() - i, percent: null });
  return { id, current: i % TOTAL, progress: createProgress({ jobId: id, attempt: 1, stages: undefined }) };
});
let slice = 0;
let updates = 0;
let due = Date.now();
/** Runs all slices that are due, so that a late timer catches up. */
setInterval(() => {
  const now = Date.now();
  for (; due <= now; due += Number(INTERVAL_MS) / SLICES) {
    for (let i = slice; i < jobs.length; i += SLICES) report(jobs[i], now);
    slice = (slice + 1) % SLICES;
  }
}, Number(INTERVAL_MS) / SLICES);

function report(job, now) {
  job.current = (job.current + 1) % TOTAL;
  job.progress.update({ current: job.current, total: TOTAL, unit: 'frames' }, now);
  running.progress(job.id, job.progress.snapshot(now));
  updates++;
}

startProcessReporting({
  redis,
  publishing: redis,
  keyspace: createKeyspace('headway'),
  sharded: true,
  role: 'worker',
  describe: () => ({ running: running.size, queues: [{ name: 'render', concurrency: jobs.length }] }),
  jobs: running,
  log: { debug() {} },
});
process.on('message', (message) => {
  if (message?.count) process.send({ type: 'count', updates });
});
process.send({ type: 'ready' });
