// One channel with many viewers: CPU time per delivered event.
import { openViewers, startBetterSse, startHeadwayChannel, startLoop } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { sleep } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const VIEWERS = 1000;
const EVENTS = scaled(250);
const ROUNDS = 3;
const LOAD = { viewers: VIEWERS, first: 50, events: EVENTS, everyMs: 10 };

/** Returns the CPU time of the API per delivered event, in µs. @param load the viewers, and the events before and while measuring */
export async function cpuPerEvent(start, { viewers: viewerCount, first, events, everyMs }) {
  const side = await start();
  const viewers = await openViewers(side, viewerCount);
  const deliver = async (count) => {
    viewers.send({ count: true });
    const { frames } = await viewers.next();
    const before = await side.api.probe({ gc: true });
    viewers.send({ expect: frames + count * viewerCount });
    const arrived = viewers.next();
    for (let i = 0; i < count; i++) {
      await side.publish();
      await sleep(everyMs);
    }
    await arrived;
    const after = await side.api.probe();
    return (after.cpuUs - before.cpuUs) / (count * viewerCount);
  };
  await deliver(first);
  const cpu = await deliver(events);
  await viewers.stop();
  await side.stop();
  return cpu;
}

const contestants = [
  ['plain net socket loop', startLoop],
  ['Headway', startHeadwayChannel],
  ['better-sse on Express', startBetterSse],
];

export async function fanout() {
  console.log(
    `\nfan-out: 1 channel, ${VIEWERS} viewers, ${EVENTS} events, median of ${ROUNDS} rounds in turn`,
  );
  const results = new Map(contestants.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, start] of contestants) {
      results.get(name).push(await cpuPerEvent(start, LOAD));
    }
  }
  const [loop, headway, betterSse] = [...results.values()].map(median);
  printTable([
    ['', 'µs CPU/event', '× loop'],
    ...[loop, headway, betterSse].map((us, i) => [contestants[i][0], us.toFixed(2), (us / loop).toFixed(2)]),
  ]);
  return [
    row('an event to one of 1,000 viewers, against a loop over sockets', {
      unit: 'µs CPU',
      peer: loop,
      headway,
      atMost: 1.25,
    }),
    row('the same, against better-sse', { unit: 'µs CPU', peer: betterSse, headway }),
  ];
}
