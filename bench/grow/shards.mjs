// Tiny jobs from POST to their end over the shards of the queues, on a Cluster of three masters.

import { busiest, startCluster } from '../lib/cluster.mjs';
import { cpuOf, perUnit } from '../lib/cpu.mjs';
import { startHeadway } from '../lib/installations.mjs';
import { startMeasured } from '../lib/processes.mjs';
import { scaled } from '../lib/sizes.mjs';
import { runJobs } from '../lifecycle.mjs';

const SHARDS = [1, 2, 4];
const MASTERS = 3;
const JOBS = scaled(4000);

async function measure(shards) {
  const redis = await startCluster(MASTERS);
  const side = await startHeadway({ redis, shards, env: { QUEUE_SHARDS: String(shards) } });
  const poster = await startMeasured('bench/lib/poster.mjs', {});
  await runJobs(side, poster, JOBS);
  const before = redis.cpuOfEach();
  const cpu = await cpuOf(side);
  const { rate } = await runJobs(side, poster, JOBS);
  const used = perUnit(cpu, await cpuOf(side), JOBS);
  const most = busiest(before, redis.cpuOfEach()) / JOBS;
  await poster.stop();
  await side.stop();
  return { ...used, most, rate };
}

export async function shards() {
  const results = [];
  for (const count of SHARDS) results.push(await measure(count));
  const show = (figure, digits = 0) => results.map((result) => result[figure].toFixed(digits));
  return {
    table: [
      ['shards, on three masters', ...SHARDS],
      ['tiny jobs ended a second, on this machine', ...show('rate')],
      ['µs of CPU of all processes for a job', ...show('sum')],
      ['µs of CPU of all masters for a job', ...show('redis')],
      ['µs of CPU of the busiest master for a job', ...show('most')],
      ['jobs a second that would fill its core', ...results.map(({ most }) => (1e6 / most).toFixed(0))],
    ],
    picture: {
      title: 'A tiny job from POST to its end: Redis',
      unit: 'µs of CPU',
      across: 'shards, on three masters',
      xs: SHARDS,
      curves: [
        { name: 'all', values: results.map(({ redis }) => redis) },
        { name: 'busiest', values: results.map(({ most }) => most) },
      ],
    },
  };
}
