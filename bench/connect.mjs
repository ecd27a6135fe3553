// New streams: how many of 5,000 viewers of one job are connected a second. A viewer is connected when it has what a
// viewer gets at once: with Headway the job's present state, with the peer the head of the stream.
import { openMore, startBetterSse, startHeadwayChannel } from './lib/channels.mjs';
import { cpuOf, perUnit } from './lib/cpu.mjs';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const VIEWERS = scaled(5000);
const WARM_ROUNDS = 2;
const ROUNDS = 3;
/** The time between two rounds, for the end of the streams. */
const PAUSE_MS = 1000;

async function round(side, viewers) {
  const before = await cpuOf(side);
  const ms = await openMore(viewers, side, VIEWERS);
  const cpu = perUnit(before, await cpuOf(side), VIEWERS);
  viewers.send({ close: true });
  await viewers.next();
  await sleep(PAUSE_MS);
  return { rate: (VIEWERS / ms) * 1000, ...cpu };
}

async function measure(start) {
  const side = await start();
  const viewers = await startMeasured('bench/lib/viewers.mjs', {});
  const cold = await round(side, viewers);
  for (let i = 0; i < WARM_ROUNDS; i++) await round(side, viewers);
  const rounds = [];
  for (let i = 0; i < ROUNDS; i++) rounds.push(await round(side, viewers));
  await viewers.stop();
  await side.stop();
  const warm = Object.fromEntries(
    ['rate', 'api', 'redis'].map((figure) => [figure, median(rounds.map((each) => each[figure]))]),
  );
  return { name: side.name, cold, warm };
}

export async function connect() {
  console.log(`\nconnect: ${VIEWERS} viewers of one job; µs CPU per stream, median of ${ROUNDS} rounds`);
  const [peer, ours] = [await measure(startBetterSse), await measure(startHeadwayChannel)];
  printTable([
    ['', 'API', 'Redis', 'streams/s'],
    ...[peer, ours].flatMap(({ name, ...phases }) =>
      Object.entries(phases).map(([phase, { api, redis, rate }]) => [
        `${name}, ${phase}`,
        api.toFixed(0),
        redis.toFixed(1),
        rate.toFixed(0),
      ]),
    ),
  ]);
  return [
    row('new streams, warm', {
      unit: 'a second',
      peer: peer.warm.rate,
      headway: ours.warm.rate,
      atLeast: 1,
    }),
    row('the same, cold', { unit: 'a second', peer: peer.cold.rate, headway: ours.cold.rate }),
    row('the API for a new stream, warm', { unit: 'µs CPU', peer: peer.warm.api, headway: ours.warm.api }),
  ];
}
