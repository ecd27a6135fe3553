// Viewers of one channel, on one API process and on two: the CPU time of an event for each viewer, how late it is, and the
// memory. An event every second is what a channel with news does.
import { execFileSync } from 'node:child_process';
import { startHeadwayChannel } from '../lib/channels.mjs';
import { sleep, startMeasured } from '../lib/processes.mjs';
import { scaled } from '../lib/sizes.mjs';
import { stamp } from '../lib/stamp.mjs';
import { sumOf, treeOf } from '../lib/tree.mjs';

const VIEWERS = [1000, 5000, 10_000, 19_000, 38_000, 50_000].map(scaled);
const PROCESSES = [1, 2];
const EVENTS = 10;
const EVERY_MS = 1000;
/** What a process needs besides its viewers. */
const OTHER_DESCRIPTORS = 500;
/** One address has 28,000 ports for connections to another one. */
const PER_ADDRESS = 19_000;

/** Opens viewers, from several addresses. */
async function openUpTo(groups, side, count) {
  let open = groups.reduce((sum, group) => sum + group.count, 0);
  while (open < count) {
    let group = groups.at(-1);
    if (!group || group.count === PER_ADDRESS) {
      group = {
        count: 0,
        viewers: await startMeasured('bench/lib/viewers.mjs', {}),
        from: `127.0.0.${groups.length + 2}`,
      };
      groups.push(group);
    }
    const more = Math.min(count - open, PER_ADDRESS - group.count);
    group.viewers.send({ open: Array(more).fill(side.url), opened: side.opened, from: group.from });
    await group.viewers.next();
    group.count += more;
    open += more;
  }
}

/** Publishes events. Resolves to the CPU time of one to one viewer in µs, and the age with which 99 of 100 arrive, in ms. */
async function deliver(groups, side, count) {
  const expected = [];
  for (const { viewers, count: own } of groups) {
    viewers.send({ count: true });
    const { frames } = await viewers.next();
    viewers.send({ expect: frames + EVENTS * own });
    expected.push(viewers.next());
  }
  const before = { api: sumOf(treeOf(side.api.pid)), redis: side.redis.cpuUs() };
  for (let i = 0; i < EVENTS; i++) {
    await side.publish(stamp());
    await sleep(EVERY_MS);
  }
  await Promise.all(expected);
  const after = { api: sumOf(treeOf(side.api.pid)), redis: side.redis.cpuUs() };
  const ages = [];
  for (const { viewers } of groups) {
    viewers.send({ count: true });
    ages.push((await viewers.next()).p99);
  }
  return {
    cpu: (after.api.cpuUs - before.api.cpuUs) / (EVENTS * count),
    redis: (after.redis - before.redis) / EVENTS,
    p99: Math.max(...ages),
    rss: after.api.rssBytes,
  };
}

async function measure(processes) {
  const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }));
  const most = processes * (descriptors - OTHER_DESCRIPTORS);
  const side = await startHeadwayChannel({ API_PROCESSES: String(processes) });
  const groups = [];
  const results = [];
  const empty = sumOf(treeOf(side.api.pid)).rssBytes;
  for (const count of VIEWERS.filter((viewers) => viewers <= most)) {
    await openUpTo(groups, side, count);
    await deliver(groups, side, count);
    const result = await deliver(groups, side, count);
    results.push({ ...result, kib: (result.rss - empty) / count / 1024 });
  }
  for (const { viewers } of groups) await viewers.stop();
  await side.stop();
  return results;
}

export async function viewers() {
  const measured = [];
  for (const processes of PROCESSES) measured.push(await measure(processes));
  const xs = VIEWERS.slice(0, Math.max(...measured.map(({ length }) => length)));
  const rowsOf = (name, shown) =>
    measured.map((results, i) => [
      `${name}, ${PROCESSES[i]} API process${PROCESSES[i] > 1 ? 'es' : ''}`,
      ...xs.map((_, at) => (results[at] ? shown(results[at], at, PROCESSES[i]) : '')),
    ]);
  return {
    table: [
      ['viewers of one channel', ...xs],
      ...rowsOf('µs of CPU for an event to one viewer', ({ cpu }) => cpu.toFixed(1)),
      ...rowsOf('ms until 99 of 100 viewers have an event', ({ p99 }) => p99.toFixed(0)),
      ...rowsOf('KiB of memory for a viewer', ({ kib }) => kib.toFixed(1)),
      ...rowsOf('events a second that would fill a core of each process', ({ cpu }, at, processes) =>
        ((1e6 * processes) / (cpu * VIEWERS[at])).toFixed(1),
      ),
    ],
    picture: {
      title: 'An event: until 99 of 100 viewers have it',
      unit: 'ms',
      across: 'viewers of one channel',
      xs,
      curves: measured.map((results, i) => ({
        name: `${PROCESSES[i]} process${PROCESSES[i] > 1 ? 'es' : ''}`,
        values: results.map(({ p99 }) => p99),
      })),
    },
  };
}
