// One `?jobs=mine` stream of 10,000 jobs that each report ten times a second: does a browser keep up?

import { signUserToken } from '../dist/shared/auth/user-token.js';
import { scopeOf } from '../dist/shared/job-index/keys.js';
import { measure, openMeasuredPage, percent } from './lib/browser.mjs';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured, startRedis, temporaryFolder } from './lib/processes.mjs';
import { indexJobs, startReporting } from './lib/reporting.mjs';
import { printTable } from './lib/table.mjs';

const WORKERS = 4;
const JOBS = 10_000;
const INTERVAL_MS = 100;
const MEASURED_MS = 10_000;
const SUB = 'ada';
const OWNER = `user:${SUB}`;
const SECRET = 'x'.repeat(32);

/** Runs in the page: follows the stream and keeps the newest state of each job in a map. */
function follow(address) {
  const seen = { jobs: new Map(), events: 0, unfinished: 0 };
  window.seen = seen;
  const source = new EventSource(address);
  source.addEventListener('job', ({ data }) => {
    const job = JSON.parse(data);
    seen.jobs.set(job.jobId, job);
    seen.events++;
  });
  source.addEventListener('jobs', ({ data }) => {
    seen.unfinished = JSON.parse(data).unfinished;
  });
}

export async function crowd() {
  console.log(
    `\ncrowd: ${JOBS} active jobs of one principal, ${1000 / INTERVAL_MS} updates a second each, in one stream`,
  );
  const redis = await startRedis();
  await indexJobs(redis.client, JOBS, [`{headway}.index:${scopeOf(OWNER)}:active`]);
  const api = await startMeasured('dist/api/main.js', {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: SECRET,
  });
  const workers = await startReporting(redis, {
    workers: WORKERS,
    jobs: JOBS,
    intervalMs: INTERVAL_MS,
    owner: OWNER,
  });
  const token = await signUserToken(
    SECRET,
    { JWT_AUDIENCE: 'headway', JWT_ISSUER: '' },
    { sub: SUB, rights: {}, expiresMs: 3_600_000 },
  );

  const { page, cdp, received, close } = await openMeasuredPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${api.url}/healthz`);
  const begun = performance.now();
  await page.evaluate(follow, `/v1/events?jobs=mine&token=${token}`);
  await page.waitForFunction((jobs) => window.seen.jobs.size === jobs, JOBS, { timeout: 120_000 });
  const complete = (performance.now() - begun) / 1000;

  const used = async () => ({
    at: performance.now(),
    api: (await api.probe()).cpuUs,
    redis: redis.cpuUs(),
    received: received(),
    events: await page.evaluate(() => window.seen.events),
  });
  const first = await used();
  const resting = await measure(page, cdp, MEASURED_MS, () => sleep(MEASURED_MS));
  const last = await used();
  const rate = (what) => ((last[what] - first[what]) / (last.at - first.at)) * 1000;
  printTable([
    ['in Chromium', 'frames/s', 'longest ms', 'main thread', 'events/s', 'KiB/s', 'all jobs after s'],
    [
      'jobs=mine',
      resting.perSecond.toFixed(1),
      resting.longest.toFixed(0),
      percent(resting.main),
      rate('events').toFixed(0),
      (rate('received') / 1024).toFixed(1),
      complete.toFixed(1),
    ],
  ]);
  console.log(`CPU of the API ${percent(rate('api') / 1e6)}, of Redis ${percent(rate('redis') / 1e6)}`);
  await close();
  await Promise.all([api, ...workers].map((process) => process.stop()));
  await redis.stop();
  return [
    row('crowd, share of the main thread', { headway: resting.main, atMost: 0.2 }),
    row('crowd, on the stream', { unit: 'KiB/s', headway: rate('received') / 1024, atMost: 250 }),
    row('crowd, until all jobs are there', { unit: 's', headway: complete, atMost: 30 }),
  ];
}
