// One channel with many viewers: CPU time per delivered event, and memory per viewer.
import { createPublisher } from '../dist/shared/channel/publisher.js';
import { channelScripts } from '../dist/shared/channel/scripts.js';
import { createKeyspace } from '../dist/shared/keyspace.js';
import { row } from './lib/goals.mjs';
import { sleep, startMeasured, startRedis, temporaryFolder } from './lib/processes.mjs';
import { median, printTable } from './lib/table.mjs';

const VIEWERS = 1000;
const FIRST_VIEWERS = 1000;
const FURTHER_VIEWERS = 5000;
const EVENTS = 400;
const EVENT_EVERY_MS = 10;
const ROUNDS = 3;
/** A process is idle after this many probes in a row, half a second apart, that find no less memory. */
const CALM_PROBES = 10;
const MARKED = JSON.stringify({
  message: 'mark',
  jobId: 'a'.repeat(36),
  attempt: 1,
  percent: 42.5,
  current: 425,
  total: 1000,
  unit: 'rows',
});

async function startLoop(redis) {
  const server = await startMeasured('bench/peers/loop.mjs', { REDIS_URL: redis.url });
  let id = 0;
  const frame = () => `id: ${redis.port}-${++id}\nevent: progress\ndata: ${MARKED}\n\n`;
  return { server, url: server.url, publish: () => redis.client.publish('bench', frame()) };
}

async function startBetterSse(redis) {
  const server = await startMeasured('bench/peers/better-sse.mjs', { REDIS_URL: redis.url });
  return { server, url: server.url, publish: () => redis.client.publish('bench', MARKED) };
}

/** The real API, with viewers of the channel of one job. */
async function startHeadway(redis) {
  const server = await startMeasured('dist/api/main.js', {
    REDIS_URL: redis.url,
    PORT: '0',
    DATA_DIR: temporaryFolder(),
    TOKEN_SECRET: 'x'.repeat(32),
  });
  const response = await fetch(`${server.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      name: 'steps',
      data: { count: 1, intervalMs: 1 },
      options: { delayMs: 3_600_000 },
    }),
  });
  const job = await response.json();
  const publisher = createPublisher({
    redis: redis.client,
    keyspace: createKeyspace('headway'),
    logLength: 1000,
    ttlMs: 3_600_000,
    sharded: true,
  });
  // Log events, because every one must be delivered. The peers deliver every event too.
  const publish = () =>
    publisher.publish(`job:${job.id}`, { event: 'progress', kind: 'log', data: JSON.parse(MARKED) });
  return { server, url: `${server.url}${job.links.events}?token=${job.token}`, publish };
}

/** Starts a contestant, and calls `body` with it and a function that opens viewers. Each viewer has received frames. */
async function withContestant(start, body) {
  const redis = await startRedis({ scripts: channelScripts });
  const { server, url, publish } = await start(redis);
  const opened = [];
  const openViewers = async (count) => {
    const viewers = await startMeasured('bench/lib/viewers.mjs', {});
    opened.push(viewers);
    viewers.send({ open: Array(count).fill(url) });
    await viewers.next();
    for (let i = 0; i < 50; i++) await publish();
    await sleep(500);
    return viewers;
  };
  const result = await body({ server, publish, openViewers });
  await Promise.all([server, ...opened].map((process) => process.stop()));
  await redis.stop();
  return result;
}

/** Returns the server's CPU time per delivered event, in µs. */
const cpuPerEvent = (start) =>
  withContestant(start, async ({ server, publish, openViewers }) => {
    const viewers = await openViewers(VIEWERS);
    viewers.send({ count: true });
    const { frames } = await viewers.next();
    const before = await server.probe({ gc: true });
    const arrived = viewers.next();
    viewers.send({ expect: frames + EVENTS * VIEWERS });
    for (let i = 0; i < EVENTS; i++) {
      await publish();
      await sleep(EVENT_EVERY_MS);
    }
    await arrived;
    const after = await server.probe();
    return (after.cpuUs - before.cpuUs) / (EVENTS * VIEWERS);
  });

/** Returns the memory of an idle process. V8 returns the memory of a burst of requests some seconds later. */
async function settled(server) {
  let now = await server.probe({ gc: true });
  for (let calm = 0; calm < CALM_PROBES; ) {
    await sleep(500);
    const next = await server.probe({ gc: true });
    calm = next.rssBytes < now.rssBytes * 0.99 ? 0 : calm + 1;
    now = next;
  }
  return now;
}

/** Returns the memory of a further viewer, without one-time costs such as compiled code. */
const weightOfViewer = (start) =>
  withContestant(start, async ({ server, openViewers }) => {
    await openViewers(FIRST_VIEWERS);
    const before = await settled(server);
    await openViewers(FURTHER_VIEWERS);
    const after = await settled(server);
    return {
      heapKiB: (after.heapBytes - before.heapBytes) / FURTHER_VIEWERS / 1024,
      rssKiB: (after.rssBytes - before.rssBytes) / FURTHER_VIEWERS / 1024,
    };
  });

const contestants = [
  ['plain net socket loop', startLoop],
  ['Headway', startHeadway],
  ['better-sse on Express', startBetterSse],
];

export async function fanout() {
  console.log(
    `\nfan-out: 1 channel, ${VIEWERS} viewers, ${EVENTS} events, median of ${ROUNDS} rounds in turn;`,
  );
  console.log(`memory of ${FURTHER_VIEWERS} viewers beside the first ${FIRST_VIEWERS}`);
  const results = new Map(contestants.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, start] of contestants) results.get(name).push(await cpuPerEvent(start));
  }
  const rows = [];
  for (const [name, start] of contestants) {
    rows.push({ name, us: median(results.get(name)), ...(await weightOfViewer(start)) });
  }
  const [loop, headway] = rows;
  printTable([
    ['', 'µs CPU/event', '× loop', 'KiB heap/viewer', 'KiB RSS/viewer'],
    ...rows.map(({ name, us, heapKiB, rssKiB }) => [
      name,
      us.toFixed(2),
      (us / loop.us).toFixed(2),
      heapKiB.toFixed(1),
      rssKiB.toFixed(1),
    ]),
  ]);
  return [
    row('an event to one of 1,000 viewers, against a loop over sockets', {
      unit: 'µs CPU',
      peer: loop.us,
      headway: headway.us,
      atMost: 1.25,
    }),
    row('memory of an idle viewer', { unit: 'KiB', headway: headway.rssKiB, atMost: 12 }),
  ];
}
