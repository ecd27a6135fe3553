// A tiny job from POST to its end, with nobody watching: CPU time, jobs per second, and the memory that a finished job
// needs in Redis.
import { cpuCells, cpuOf, perUnit } from './lib/cpu.mjs';
import { row } from './lib/goals.mjs';
import { startHeadway, startPlain } from './lib/installations.mjs';
import { sleep, startMeasured } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';

const CONNECTIONS = 32;
const COLD_JOBS = scaled(1000);
const WARM_UP_MS = scaled(6000);
const JOBS = scaled(8000);
const POLL_MS = 20;
/** What the processes do after the last job has ended counts too. */
const AFTERWARDS_MS = 1000;

/** Starts `count` jobs and waits for their end. Resolves to the cost of one and the rate. */
export async function runJobs(side, poster, count) {
  const done = (await side.countCompleted('tiny')) + count;
  const before = await cpuOf(side);
  poster.send({
    url: side.api.url + side.jobsPath,
    body: JSON.stringify({ name: 'tiny', data: {} }),
    connections: CONNECTIONS,
    count,
  });
  await poster.next();
  while ((await side.countCompleted('tiny')) < done) await sleep(POLL_MS);
  const rate = (count / (performance.now() - before.at)) * 1000;
  await sleep(AFTERWARDS_MS);
  return { rate, ...perUnit(before, await cpuOf(side), count) };
}

async function measure(start) {
  const side = await start();
  const poster = await startMeasured('bench/lib/poster.mjs', {});
  const cold = await runJobs(side, poster, COLD_JOBS);
  const warmAt = performance.now() + WARM_UP_MS;
  while (performance.now() < warmAt) await runJobs(side, poster, COLD_JOBS);
  const memory = await side.redis.usedMemory();
  const warm = await runJobs(side, poster, JOBS);
  const kib = ((await side.redis.usedMemory()) - memory) / JOBS / 1024;
  await poster.stop();
  await side.stop();
  return { name: side.name, cold, warm, kib };
}

export async function lifecycle() {
  console.log(`\nlifecycle: ${JOBS} tiny jobs from POST to their end, nobody watching; µs CPU per job`);
  const sides = [await measure(startPlain), await measure(startHeadway)];
  printTable([
    ['', 'API', 'worker', 'Redis', 'sum', 'jobs/s', 'KiB of Redis'],
    ...sides.flatMap(({ name, cold, warm, kib }) => [
      [`${name}, cold`, ...cpuCells(cold), cold.rate.toFixed(0), ''],
      [`${name}, warm`, ...cpuCells(warm), warm.rate.toFixed(0), kib.toFixed(2)],
    ]),
  ]);
  const [peer, ours] = sides;
  const ofProcess = (name, process) =>
    row(`the same, ${name}`, { unit: 'µs CPU', peer: peer.warm[process], headway: ours.warm[process] });
  return [
    row('a tiny job from POST to its end, warm', {
      unit: 'µs CPU',
      peer: peer.warm.sum,
      headway: ours.warm.sum,
      atMost: 1.5,
    }),
    ofProcess('API', 'api'),
    ofProcess('worker', 'worker'),
    ofProcess('Redis', 'redis'),
    row('the same, cold', { unit: 'µs CPU', peer: peer.cold.sum, headway: ours.cold.sum }),
    row('tiny jobs ended, warm', {
      unit: 'jobs/s',
      peer: peer.warm.rate,
      headway: ours.warm.rate,
      atLeast: 0.7,
    }),
    row('the same, cold', { unit: 'jobs/s', peer: peer.cold.rate, headway: ours.cold.rate }),
    row('Redis memory of a finished job that is kept', {
      unit: 'KiB',
      peer: peer.kib,
      headway: ours.kib,
      of: 'value',
      atMost: 2.5,
    }),
  ];
}
