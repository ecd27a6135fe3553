// The memory of the API for a viewer of one job, at rest and while events are published. Counted are viewers beside
// the first thousand, without one-time costs such as compiled code.
import { openMore, openViewers, startBetterSse, startHeadwayChannel } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { sleep } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const FIRST_VIEWERS = 1000;
const FURTHER_VIEWERS = scaled(5000);
const EVENT_EVERY_MS = 200;
const EVENTS = 40;
const PROBE_MS = 500;
/** A process is at rest after this many probes in a row that find no less memory. */
const CALM_PROBES = 10;
const KiB = 1024;

/** Returns the memory at rest. V8 returns the memory of a burst of requests some seconds later. */
async function atRest(api) {
  let now = await api.probe({ gc: true });
  for (let calm = 0; calm < CALM_PROBES; ) {
    await sleep(PROBE_MS);
    const next = await api.probe({ gc: true });
    calm = next.rssBytes < now.rssBytes * 0.99 ? 0 : calm + 1;
    now = next;
  }
  return now.rssBytes;
}

/** Returns the median of the memory while events are published. V8 collects garbage when it likes. */
async function busy({ api, publish }) {
  const seen = [];
  for (let i = 0; i < EVENTS; i++) {
    await publish();
    await sleep(EVENT_EVERY_MS);
    if (i >= EVENTS / 2) seen.push((await api.probe()).rssBytes);
  }
  return median(seen);
}

async function measure(start) {
  const side = await start();
  const viewers = await openViewers(side, FIRST_VIEWERS);
  const look = async () => ({ busy: await busy(side), rest: await atRest(side.api) });
  const before = await look();
  await openMore(viewers, side, FURTHER_VIEWERS);
  const after = await look();
  await viewers.stop();
  await side.stop();
  const weight = (when) => (after[when] - before[when]) / FURTHER_VIEWERS / KiB;
  return { name: side.name, busy: weight('busy'), rest: weight('rest') };
}

export async function memory() {
  console.log(
    `\nmemory: ${FURTHER_VIEWERS} viewers beside the first ${FIRST_VIEWERS}, ${1000 / EVENT_EVERY_MS} events a second while busy; KiB of RSS per viewer`,
  );
  const [peer, ours] = [await measure(startBetterSse), await measure(startHeadwayChannel)];
  printTable([
    ['', 'busy', 'at rest'],
    ...[peer, ours].map(({ name, busy, rest }) => [name, busy.toFixed(1), rest.toFixed(1)]),
  ]);
  return [
    row('memory of a viewer, busy', {
      unit: 'KiB',
      peer: peer.busy,
      headway: ours.busy,
      of: 'value',
      atMost: 10,
    }),
    row('memory of a viewer, at rest', { unit: 'KiB', peer: peer.rest, headway: ours.rest }),
  ];
}
