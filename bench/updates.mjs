// Many jobs that report often: CPU time per update, and the time from ctx.progress() to the viewer's socket.
import { cpuCells, cpuOf, perUnit } from './lib/cpu.mjs';
import { row } from './lib/goals.mjs';
import { startHeadway, startPlain } from './lib/installations.mjs';
import { sleep, startMeasured } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';

const JOBS = 200;
const INTERVAL_MS = 100;
const COLD_MS = scaled(5000);
/** Long enough for V8 to collect the garbage from starting the jobs. */
const WARM_UP_MS = scaled(12_000);
const MEASURED_MS = scaled(15_000);
const UNWATCHED_MS = scaled(6000);
const START_AT_ONCE = 20;

/** Starts the jobs. Resolves to the addresses of their streams. */
export async function startTickers({ api, jobsPath }, jobs, intervalMs) {
  const urls = [];
  const startOne = async () => {
    const response = await fetch(api.url + jobsPath, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'ticker', data: { intervalMs } }),
    });
    const { id, token } = await response.json();
    urls.push(`${api.url}${jobsPath}/${id}/events${token ? `?token=${token}` : ''}`);
  };
  for (let from = 0; from < jobs; from += START_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(START_AT_ONCE, jobs - from) }, startOne));
  }
  return urls;
}

/** Measures the next `ms` milliseconds. */
export async function measureUpdates(side, viewers, { jobs, intervalMs, ms }) {
  const look = async () => {
    viewers.send({ count: true });
    const counted = await viewers.next();
    return { ...counted, ...(await cpuOf(side)) };
  };
  const before = await look();
  await sleep(ms);
  const after = await look();
  const updates = (jobs * (after.at - before.at)) / intervalMs;
  return {
    delivered: (after.frames - before.frames) / updates,
    p50: after.p50,
    p99: after.p99,
    ...perUnit(before, after, updates),
  };
}

async function measure(start) {
  const side = await start({ concurrency: JOBS, env: { PROGRESS_INTERVAL_MS: '0' } });
  const viewers = await startMeasured('bench/lib/viewers.mjs', {});
  viewers.send({ open: await startTickers(side, JOBS, INTERVAL_MS) });
  await viewers.next();
  const measureNext = (ms) => measureUpdates(side, viewers, { jobs: JOBS, intervalMs: INTERVAL_MS, ms });
  const cold = await measureNext(COLD_MS);
  await sleep(WARM_UP_MS);
  const warm = await measureNext(MEASURED_MS);
  viewers.send({ close: true });
  await viewers.next();
  await sleep(1000);
  const unwatched = await measureNext(UNWATCHED_MS);
  await viewers.stop();
  await side.stop();
  return { name: side.name, cold, warm, unwatched };
}

export async function updates() {
  console.log(
    `\nupdates: ${JOBS} jobs with ${1000 / INTERVAL_MS} updates a second each, one viewer a job, coalescing off; µs CPU per update`,
  );
  const sides = [await measure(startPlain), await measure(startHeadway)];
  printTable([
    ['', 'API', 'worker', 'Redis', 'sum', 'delivered', 'p50 ms', 'p99 ms'],
    ...sides.flatMap(({ name, cold, warm, unwatched }) =>
      Object.entries({ cold, warm, 'without viewers': unwatched }).map(([phase, measured]) => [
        `${name}, ${phase}`,
        ...cpuCells(measured),
        `${(measured.delivered * 100).toFixed(0)} %`,
        measured.p50?.toFixed(1) ?? '',
        measured.p99?.toFixed(1) ?? '',
      ]),
    ),
  ]);
  const [peer, ours] = sides;
  const compared = (what, phase, figure, unit, goal = {}) =>
    row(what, { unit, peer: peer[phase][figure], headway: ours[phase][figure], ...goal });
  return [
    compared('an update of 200 watched jobs, warm', 'warm', 'sum', 'µs CPU', { atMost: 0.5 }),
    compared('the same, API', 'warm', 'api', 'µs CPU'),
    compared('the same, worker', 'warm', 'worker', 'µs CPU'),
    compared('the same, Redis', 'warm', 'redis', 'µs CPU'),
    compared('the same, cold', 'cold', 'sum', 'µs CPU'),
    compared('the same, without viewers', 'unwatched', 'sum', 'µs CPU'),
    compared('ctx.progress() to the socket, p50, warm', 'warm', 'p50', 'ms', { of: 'value', atMost: 2 }),
    compared('ctx.progress() to the socket, p99, warm', 'warm', 'p99', 'ms', { of: 'value', atMost: 8 }),
    row('API CPU of an update without viewers, as a share of a watched one', {
      headway: ours.unwatched.api / ours.warm.api,
      atMost: 0.1,
    }),
  ];
}
