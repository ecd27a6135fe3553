// Slow clients: the age of events at 500 viewers before and while another process holds 10,000 connections that send
// their headers or bodies slowly or never finish the request for a stream, and connects in a flood.
import { openViewers, startHeadwayChannel } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { stamp } from './lib/stamp.mjs';
import { printTable } from './lib/table.mjs';

const VIEWERS = 500;
/** Connections of each of three kinds. */
const EACH = scaled(3400);
const EVENTS = 600;
const EVENT_MS = 50;

/** Publishes events. Resolves to the ages at which viewers got them, in ms. */
async function measure(side, viewers) {
  viewers.send({ count: true });
  const before = (await viewers.next()).frames;
  viewers.send({ expect: before + VIEWERS * EVENTS });
  const arrived = viewers.next();
  for (let i = 0; i < EVENTS; i++) {
    await side.publish(stamp());
    await sleep(EVENT_MS);
  }
  await arrived;
  viewers.send({ count: true });
  return viewers.next();
}

export async function slow() {
  console.log(`\nslow: ${VIEWERS} viewers, ${3 * EACH} connections of slow clients and a flood of connects`);
  const side = await startHeadwayChannel();
  const viewers = await openViewers(side, VIEWERS);
  await measure(side, viewers);
  const calm = await measure(side, viewers);
  const attacker = await startMeasured('bench/lib/slow-clients.mjs', {});
  attacker.send({ attack: side.url, each: EACH });
  await attacker.next();
  const attacked = await measure(side, viewers);
  attacker.send({ stop: true });
  const { connects } = await attacker.next();
  await attacker.stop();
  await viewers.stop();
  await side.stop();
  printTable([
    ['', 'p50 ms', 'p99 ms'],
    ['before', calm.p50.toFixed(1), calm.p99.toFixed(1)],
    [`during, ${connects} connects`, attacked.p50.toFixed(1), attacked.p99.toFixed(1)],
  ]);
  return [
    row('p99 of events during an attack of slow clients, and before', {
      unit: 'ms',
      peer: calm.p99,
      headway: attacked.p99,
      atMost: 1.5,
      of: 'ratio',
    }),
  ];
}
