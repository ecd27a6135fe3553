// How fast the API of an installation starts jobs. There is no worker, so the jobs wait.
import { cpuOf, perUnit } from './cpu.mjs';
import { startMeasured } from './processes.mjs';
import { scaled } from './sizes.mjs';

const COLD_MS = scaled(1000);
const WARM_UP_MS = scaled(4000);
const MEASURED_MS = scaled(6000);

/** Starts jobs for a time. Resolves to the rates, the latency of a request, and the CPU time of a job. */
async function postFor(side, poster, { path, body, connections, jobs, ms }) {
  const before = await cpuOf(side);
  poster.send({ url: side.api.url + path, body: JSON.stringify(body), connections, ms });
  const { requests, ms: took, p50, p99 } = await poster.next();
  const cpu = perUnit(before, await cpuOf(side), requests * jobs);
  return { requests: (requests / took) * 1000, jobs: ((requests * jobs) / took) * 1000, p50, p99, ...cpu };
}

/**
 * Measures the API of a new installation, first cold, then warm.
 * @param load returns the path, the body, the connections and the jobs of a request for an installation
 */
export async function measurePosting(start, load) {
  const side = await start({ workers: 0 });
  const poster = await startMeasured('bench/lib/poster.mjs', {});
  const posting = (ms) => postFor(side, poster, { ...load(side), ms });
  const cold = await posting(COLD_MS);
  await posting(WARM_UP_MS);
  const warm = await posting(MEASURED_MS);
  await poster.stop();
  await side.stop();
  return { name: side.name, cold, warm };
}

/** Measures all contestants in turn, `rounds` times. Resolves to the means of each. */
export async function inTurn(rounds, contestants) {
  const measured = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, measure] of contestants.entries()) measured[i].push(await measure());
  }
  return measured.map((results) => ({
    name: results[0].name,
    cold: meanOf(results.map(({ cold }) => cold)),
    warm: meanOf(results.map(({ warm }) => warm)),
  }));
}

const meanOf = (records) =>
  Object.fromEntries(
    Object.keys(records[0]).map((key) => [
      key,
      records.reduce((sum, record) => sum + record[key], 0) / records.length,
    ]),
  );

/** The rows of a table with cold and warm figures, and the columns of `POSTING_COLUMNS`. */
export const postingCells = ({ name, cold, warm }) =>
  Object.entries({ cold, warm }).map(([phase, { api, redis, jobs, p50, p99 }]) => [
    `${name}, ${phase}`,
    api.toFixed(1),
    redis.toFixed(1),
    jobs.toFixed(0),
    p50.toFixed(1),
    p99.toFixed(1),
  ]);

export const POSTING_COLUMNS = ['', 'API', 'Redis', 'jobs/s', 'p50 ms', 'p99 ms'];
