// The API is killed with 5,000 viewers of one job. Events are published while it is down. When it listens again, all
// viewers return at once with their Last-Event-ID: how long until each has every event?
import { startBetterSseReplay, startHeadwayChannel } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { now } from './lib/stamp.mjs';
import { printTable } from './lib/table.mjs';

const VIEWERS = scaled(5000);
const EVENTS_BEFORE = 30;
const EVENTS_MISSED = 20;
const EVENT_EVERY_MS = 50;
const MiB = 1024 * 1024;

async function measure(start) {
  const side = await start();
  const viewers = await startMeasured('bench/lib/returning-viewers.mjs', {});
  viewers.send({ url: side.url, count: VIEWERS });
  await viewers.next();
  const known = viewers.next();
  for (let i = 0; i < EVENTS_BEFORE; i++) {
    await side.publish();
    await sleep(EVENT_EVERY_MS);
  }
  await known;
  await sleep(1000);

  const killed = now();
  await side.kill();
  for (let i = 0; i < EVENTS_MISSED - 1; i++) await side.publish();
  await side.publish('last');
  await side.redis.client.config('RESETSTAT');
  await side.restart();
  const listening = now();
  viewers.send({ back: true });
  const { at, marks } = await viewers.next();
  const calls = await side.redis.scriptCalls();
  const { peakBytes, cpuUs } = await side.api.probe();
  const expected = EVENTS_BEFORE + EVENTS_MISSED - 1;
  await viewers.stop();
  await side.stop();
  return {
    name: side.name,
    seconds: (at - listening) / 1e6,
    sinceKill: (at - killed) / 1e6,
    calls,
    peakMiB: peakBytes / MiB,
    cpuUs: cpuUs / VIEWERS,
    wrong: marks.filter((count) => count !== expected).length,
  };
}

export async function storm() {
  console.log(
    `\nstorm: ${VIEWERS} viewers of one job return after the API was killed, ${EVENTS_MISSED} events late`,
  );
  const [peer, ours] = [await measure(startBetterSseReplay), await measure(startHeadwayChannel)];
  printTable([
    [
      '',
      's since it listens',
      's since the kill',
      'script calls',
      'peak MiB',
      'µs CPU/viewer',
      'gaps or doubles',
    ],
    ...[peer, ours].map(({ name, seconds, sinceKill, calls, peakMiB, cpuUs, wrong }) => [
      name,
      seconds.toFixed(2),
      sinceKill.toFixed(2),
      calls,
      peakMiB.toFixed(0),
      cpuUs.toFixed(0),
      wrong,
    ]),
  ]);
  return [
    row('5,000 viewers return: until the last has every event', {
      unit: 's',
      peer: peer.seconds,
      headway: ours.seconds,
      of: 'value',
      atMost: 2.5,
    }),
    row('the same: script calls', { headway: ours.calls, atMost: 50 }),
    row('the same: peak memory of the API', { unit: 'MiB', peer: peer.peakMiB, headway: ours.peakMiB }),
    row('the same: viewers with a gap or a doubled event', { headway: ours.wrong, atMost: 0 }),
  ];
}
