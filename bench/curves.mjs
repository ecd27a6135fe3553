// How costs grow: of an event with the viewers, of an update with the jobs, of a job with the finished jobs kept.
// Draws them to docs/images.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTracker } from '../dist/shared/job-index/tracker.js';
import { createRetentionTimes } from '../dist/shared/jobs/retention-times.js';
import { createKeyspace } from '../dist/shared/keyspace.js';
import { connectRedis } from '../dist/shared/redis/connect.js';
import { sharedScripts } from '../dist/shared/runtime/scripts.js';
import { cpuPerEvent } from './fanout.mjs';
import { startBetterSse, startHeadwayChannel } from './lib/channels.mjs';
import { inGroups, writeFinishedJob } from './lib/finished-jobs.mjs';
import { startHeadway, startPlain } from './lib/installations.mjs';
import { drawCurves } from './lib/picture.mjs';
import { root, sleep, startMeasured } from './lib/processes.mjs';
import { SCALE, scaled } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';
import { runJobs } from './lifecycle.mjs';
import { measureUpdates, startTickers } from './updates.mjs';

/** At most so many of these at the scale of this run. */
const points = (...numbers) => [
  ...new Set(numbers.map((number) => Math.min(number, scaled(numbers.at(-1))))),
];

/** A process needs a file descriptor for each viewer, and some more. */
const DESCRIPTORS = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) - 500;
const VIEWERS = points(100, 1000, 5000, Math.min(20_000, DESCRIPTORS || 20_000));
const DELIVERIES = 100_000;
const JOBS = points(10, 50, 200, 1000, 2000);
const JOBS_PER_WORKER = 1000;
const UPDATES_PER_SECOND = 1000;
const SETTLE_MS = 4000;
const MEASURED_MS = 6000;
const KEPT = [0, ...points(10_000, 100_000, 1_000_000)];
const MEASURED_JOBS = 1500;
/** Recent enough that the jobs are kept. */
const BEGIN = Date.now() - 3_600_000;

/** The title and the file of each. */
export const PICTURES = [
  ['An event to one viewer', 'performance-viewers.svg'],
  ['An update of a watched job', 'performance-updates.svg'],
  ['A tiny job from POST to its end', 'performance-kept.svg'],
];

/** Returns the cost of an event for each number of viewers. */
async function overViewers(start) {
  const costs = [];
  for (const viewers of VIEWERS) {
    const events = Math.min(400, Math.max(10, DELIVERIES / viewers));
    costs.push(
      await cpuPerEvent(start, { viewers, first: events, events, everyMs: Math.max(10, viewers / 25) }),
    );
  }
  return costs;
}

/** Returns the cost of an update for each number of jobs. All jobs together report equally often. */
async function overJobs(start) {
  const costs = [];
  for (const jobs of JOBS) {
    const workers = Math.ceil(jobs / JOBS_PER_WORKER);
    const intervalMs = (jobs / UPDATES_PER_SECOND) * 1000;
    const side = await start({
      workers,
      concurrency: Math.ceil(jobs / workers),
      env: { PROGRESS_INTERVAL_MS: '0' },
    });
    const viewers = await startMeasured('bench/lib/viewers.mjs', {});
    viewers.send({ open: await startTickers(side, jobs, intervalMs) });
    await viewers.next();
    await sleep(SETTLE_MS);
    costs.push((await measureUpdates(side, viewers, { jobs, intervalMs, ms: MEASURED_MS })).sum);
    await viewers.stop();
    await side.stop();
  }
  return costs;
}

/** Returns the cost of a tiny job for each number of finished jobs. @param keep writes the jobs from one number to another */
async function overKept(start, keep) {
  const side = await start();
  const poster = await startMeasured('bench/lib/poster.mjs', {});
  await runJobs(side, poster, MEASURED_JOBS);
  const costs = [];
  let kept = 0;
  for (const count of KEPT) {
    await keep(side, kept, count);
    kept = count;
    costs.push((await runJobs(side, poster, MEASURED_JOBS)).sum);
  }
  await poster.stop();
  await side.stop();
  return costs;
}

const idOf = (i) => `tiny.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

const keepPlain = ({ redis }, from, to) =>
  inGroups(from, to, (i) => writeFinishedJob(redis.client, 'bull:peer:', `old-${i}`, BEGIN + i));

async function keepHeadway({ redis: { url } }, from, to) {
  const keyspace = createKeyspace('headway');
  const redis = connectRedis(url, 'patient', { scripts: sharedScripts });
  const keep = createRetentionTimes({ KEEP_JOBS_MS: 1e12, GONE_JOBS_MS: 0 });
  const trackJob = createTracker({ redis, keyspace, keep });
  await inGroups(from, to, async (i) => {
    await writeFinishedJob(redis, keyspace.queueKey('tiny', ''), idOf(i), BEGIN + i, {
      owner: `user:${i % 10_000}`,
    });
    await trackJob(idOf(i));
  });
  redis.disconnect();
}

function draw(number, picture) {
  const [title, file] = PICTURES[number];
  printTable([
    [title, ...picture.xs],
    ...picture.curves.map(({ name, values }) => [name, ...values.map((value) => value.toFixed(1))]),
  ]);
  const path = SCALE === 1 ? join(root, 'docs/images', file) : join(tmpdir(), file);
  writeFileSync(path, drawCurves({ ...picture, title, unit: 'µs of CPU' }));
  console.log(`drawn to ${path}\n`);
}

export async function curves() {
  console.log('\ncurves: µs of CPU');
  draw(0, {
    across: 'viewers of the channel',
    xs: VIEWERS,
    curves: [
      { name: 'better-sse', values: await overViewers(startBetterSse) },
      { name: 'Headway', values: await overViewers(startHeadwayChannel) },
    ],
  });
  draw(1, {
    across: 'jobs that report',
    xs: JOBS,
    curves: [
      { name: 'plain BullMQ', values: await overJobs(startPlain) },
      { name: 'Headway', values: await overJobs(startHeadway) },
    ],
  });
  draw(2, {
    across: 'finished jobs that are kept',
    xs: KEPT,
    curves: [
      { name: 'plain BullMQ', values: await overKept(startPlain, keepPlain) },
      { name: 'Headway', values: await overKept(startHeadway, keepHeadway) },
    ],
  });
  return [];
}
