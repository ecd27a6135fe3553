// Updates of watched jobs over the masters of a Redis Cluster. All processes share the machine: what counts is the CPU time of
// the busiest master, because a master uses one core.
import { busiest, startCluster } from '../lib/cluster.mjs';
import { startHeadway } from '../lib/installations.mjs';
import { sleep, startMeasured } from '../lib/processes.mjs';
import { scaled } from '../lib/sizes.mjs';
import { measureUpdates, startTickers } from '../updates.mjs';

const MASTERS = [1, 2, 3];
const JOBS = 200;
const INTERVAL_MS = 200;
const SETTLE_MS = scaled(5000);
const MEASURED_MS = scaled(10_000);

async function measure(masters) {
  const redis = await startCluster(masters);
  const side = await startHeadway({ redis, concurrency: JOBS, env: { PROGRESS_INTERVAL_MS: '0' } });
  const viewers = await startMeasured('bench/lib/viewers.mjs', {});
  viewers.send({ open: await startTickers(side, JOBS, INTERVAL_MS) });
  await viewers.next();
  await sleep(SETTLE_MS);
  const before = redis.cpuOfEach();
  const begun = performance.now();
  const {
    redis: all,
    api,
    worker,
  } = await measureUpdates(side, viewers, {
    jobs: JOBS,
    intervalMs: INTERVAL_MS,
    ms: MEASURED_MS,
  });
  const updates = (JOBS * (performance.now() - begun)) / INTERVAL_MS;
  const most = busiest(before, redis.cpuOfEach()) / updates;
  await viewers.stop();
  await side.stop();
  return { all, most, api, worker };
}

export async function masters() {
  const results = [];
  for (const count of MASTERS) results.push(await measure(count));
  const show = (figure) => results.map((result) => result[figure].toFixed(1));
  return {
    table: [
      ['masters', ...MASTERS],
      ['µs of CPU of all masters for an update', ...show('all')],
      ['µs of CPU of the busiest master for an update', ...show('most')],
      ['updates a second that would fill its core', ...results.map(({ most }) => (1e6 / most).toFixed(0))],
      ['µs of CPU of the API for an update', ...show('api')],
      ['µs of CPU of the worker for an update', ...show('worker')],
    ],
    picture: {
      title: 'An update of a watched job: Redis',
      unit: 'µs of CPU',
      across: 'masters',
      xs: MASTERS,
      curves: [
        { name: 'all', values: results.map(({ all }) => all) },
        { name: 'busiest', values: results.map(({ most }) => most) },
      ],
    },
  };
}
