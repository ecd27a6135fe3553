// A browser on the dashboard of 10,000 jobs that each report ten times a second: does it stay smooth?
import { measure, openMeasuredPage, percent } from './lib/browser.mjs';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured, startRedis, temporaryFolder } from './lib/processes.mjs';
import { indexJobs, startReporting } from './lib/reporting.mjs';
import { printTable } from './lib/table.mjs';

const WORKERS = 4;
const JOBS = 10_000;
const INTERVAL_MS = 100;
const MEASURED_MS = 10_000;
const ADMIN_TOKEN = 'the-token-of-the-benchmark';

/** Scrolls down the list and up again with the mouse wheel. */
async function scroll(page) {
  await page.getByRole('group', { name: 'List of active jobs' }).hover();
  const end = Date.now() + MEASURED_MS;
  for (let i = 0; Date.now() < end; i++) {
    await page.mouse.wheel(0, i % 60 < 40 ? 300 : -300);
    await sleep(30);
  }
}

/** Returns the number of updates that all workers have reported so far. */
async function countUpdates(workers) {
  const counts = await Promise.all(
    workers.map((worker) => {
      worker.send({ count: true });
      return worker.next();
    }),
  );
  return counts.reduce((sum, { updates }) => sum + updates, 0);
}

export async function dashboard() {
  console.log(
    `\ndashboard: ${JOBS} active jobs in ${WORKERS} worker processes, ${1000 / INTERVAL_MS} updates a second each`,
  );
  const redis = await startRedis();
  await indexJobs(redis.client, JOBS, [
    '{headway}.index:all:active',
    '{headway}.index:all:active:name:render',
  ]);
  const api = await startMeasured('dist/api/main.js', {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'x'.repeat(32),
    ADMIN_TOKEN,
  });
  const workers = await startReporting(redis, { workers: WORKERS, jobs: JOBS, intervalMs: INTERVAL_MS });
  const cpuOf = async (processes) =>
    (await Promise.all(processes.map((process) => process.probe()))).reduce(
      (sum, { cpuUs }) => sum + cpuUs,
      0,
    );

  await sleep(3000);
  const [begun, before] = [performance.now(), await cpuOf(workers)];
  await sleep(MEASURED_MS);
  const unwatched = ((await cpuOf(workers)) - before) / ((performance.now() - begun) / 1000);

  const { page, cdp, received, close } = await openMeasuredPage({
    viewport: { width: 1440, height: 1000 },
    httpCredentials: { username: 'admin', password: ADMIN_TOKEN },
  });
  await page.goto(`${api.url}/dashboard/sign-in`);
  await page.getByRole('heading', { name: /^Active jobs 10,000/ }).waitFor();
  await sleep(3000);

  const used = async () => ({
    at: performance.now(),
    api: await cpuOf([api]),
    workers: await cpuOf(workers),
    received: received(),
    updates: await countUpdates(workers),
  });
  const first = await used();
  const resting = await measure(page, cdp, MEASURED_MS, () => sleep(MEASURED_MS));
  const last = await used();
  const seconds = (last.at - first.at) / 1000;
  /** Returns the increase of a counter per second. */
  const rate = (what) => (last[what] - first[what]) / seconds;
  const scrolling = await measure(page, cdp, MEASURED_MS, () => scroll(page));

  printTable([
    ['in Chromium', 'frames/s', 'longest ms', 'main thread', 'script', 'layout'],
    ...Object.entries({ resting, scrolling }).map(([name, { perSecond, longest, main, script, layout }]) => [
      name,
      perSecond.toFixed(1),
      longest.toFixed(0),
      percent(main),
      percent(script),
      percent(layout),
    ]),
  ]);
  console.log(
    `${Math.round(rate('updates'))} updates a second; the stream has ${(rate('received') / 1024).toFixed(1)} KiB a second`,
  );
  console.log(
    `CPU of the API ${percent(rate('api') / 1e6)}; of a worker ${percent(rate('workers') / WORKERS / 1e6)}, ${percent(unwatched / WORKERS / 1e6)} while no dashboard is open`,
  );
  await close();
  await Promise.all([api, ...workers].map((process) => process.stop()));
  await redis.stop();
  return [
    row('dashboard, share of 60 frames missed, at rest', {
      headway: 1 - resting.perSecond / 60,
      atMost: 0.1,
    }),
    row('dashboard, share of 60 frames missed, scrolling', {
      headway: 1 - scrolling.perSecond / 60,
      atMost: 0.25,
    }),
    row('dashboard, share of the main thread, at rest', { headway: resting.main, atMost: 0.3 }),
    row('dashboard, on its stream', { unit: 'KiB/s', headway: rate('received') / 1024, atMost: 100 }),
  ];
}
