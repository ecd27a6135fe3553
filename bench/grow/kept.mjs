// Finished jobs that are kept: a page of the list, the start of a job, and the removal of jobs that are due.
import { createTracker } from '../../dist/shared/job-index/tracker.js';
import { createRetentionTimes } from '../../dist/shared/jobs/retention-times.js';
import { createKeyspace } from '../../dist/shared/keyspace.js';
import { connectRedis } from '../../dist/shared/redis/connect.js';
import { sharedScripts } from '../../dist/shared/runtime/scripts.js';
import { cpuOf, perUnit } from '../lib/cpu.mjs';
import { inGroups, writeFinishedJob } from '../lib/finished-jobs.mjs';
import { startHeadway } from '../lib/installations.mjs';
import { sleep, startMeasured } from '../lib/processes.mjs';
import { scaled } from '../lib/sizes.mjs';
import { median } from '../lib/table.mjs';
import { userToken } from '../lib/token.mjs';

const KEPT = [10_000, 100_000, 500_000, 2_000_000].map(scaled);
const KEEP_MS = 24 * 3_600_000;
const STARTED = 1500;
const PAGES = 100;
const DUE = 500;
const OWNERS = 1000;
const SOON_MS = 3000;
const POLL_MS = 50;
/** Recent enough that all of them are kept. */
const FIRST_AT = Date.now() - 12 * 3_600_000;
const WITHIN_MS = 6 * 3_600_000;

const idOf = (i) => `tiny.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;

/** Returns a function that writes a finished job with its entry in the index. */
function openWriter(url) {
  const keyspace = createKeyspace('headway');
  const redis = connectRedis(url, 'patient', { scripts: sharedScripts });
  const keep = createRetentionTimes({ KEEP_JOBS_MS: KEEP_MS, GONE_JOBS_MS: 0 });
  const trackJob = createTracker({ redis, keyspace, keep });
  return {
    async write(i, at) {
      const settings = { owner: `user:u${i % OWNERS}` };
      await writeFinishedJob(redis, keyspace.queueKey('tiny', ''), idOf(i), at, settings);
      await trackJob(idOf(i));
    },
    close: () => redis.disconnect(),
  };
}

/** Returns the median time of a page of 50 jobs of one owner, in ms. */
async function readPages({ api, settings }) {
  const headers = { Authorization: `Bearer ${userToken(settings.TOKEN_SECRET, 'u7', {})}` };
  const times = [];
  for (let i = 0; i < PAGES; i++) {
    const at = performance.now();
    const response = await fetch(`${api.url}/v1/jobs?limit=50&state=completed`, { headers });
    const { jobs } = await response.json();
    if (jobs.length === 0) throw new Error('the page is empty');
    times.push(performance.now() - at);
  }
  return median(times);
}

/** Returns the CPU time of a job that is started, by process. */
async function startJobs(side, poster) {
  const before = await cpuOf(side);
  const body = JSON.stringify({ name: 'tiny', data: {} });
  poster.send({ url: side.api.url + side.jobsPath, body, connections: 32, count: STARTED });
  await poster.next();
  return perUnit(before, await cpuOf(side), STARTED).sum;
}

/** Returns the CPU time of the removal of a job. It is due soon after it is written, and the API removes it. */
async function removeDue(side, { write }, from) {
  const dueAt = Date.now() + SOON_MS;
  await inGroups(from, from + DUE, (i) => write(i, dueAt - KEEP_MS));
  const left = await side.countCompleted('tiny');
  await sleep(dueAt - Date.now());
  const before = await cpuOf(side);
  while ((await side.countCompleted('tiny')) > left - DUE) await sleep(POLL_MS);
  return perUnit(before, await cpuOf(side), DUE).sum;
}

export async function kept() {
  // Without a worker, the API does the housekeeping.
  const side = await startHeadway({ workers: 0, env: { KEEP_JOBS_MS: String(KEEP_MS) } });
  const poster = await startMeasured('bench/lib/poster.mjs', {});
  const writer = openWriter(side.redis.url);
  const results = [];
  let written = 0;
  for (const count of KEPT) {
    await inGroups(written, count, (i) => writer.write(i, FIRST_AT + (i % WITHIN_MS)));
    written = count;
    await startJobs(side, poster);
    results.push({
      start: await startJobs(side, poster),
      list: await readPages(side),
      remove: await removeDue(side, writer, 0xf000_0000 + count),
      bytes: (await side.redis.usedMemory()) / count,
    });
  }
  writer.close();
  await poster.stop();
  await side.stop();
  return {
    table: [
      ['finished jobs that are kept', ...KEPT],
      ['ms for a page of 50 jobs of a user', ...results.map(({ list }) => list.toFixed(1))],
      ['µs of CPU to start a job', ...results.map(({ start }) => start.toFixed(0))],
      ['µs of CPU to remove a job', ...results.map(({ remove }) => remove.toFixed(0))],
      ['bytes of Redis for a job', ...results.map(({ bytes }) => bytes.toFixed(0))],
    ],
    picture: {
      title: 'A job: API and Redis',
      unit: 'µs of CPU',
      across: 'finished jobs that are kept',
      xs: KEPT,
      curves: [
        { name: 'start', values: results.map(({ start }) => start) },
        { name: 'removal', values: results.map(({ remove }) => remove) },
      ],
    },
  };
}
