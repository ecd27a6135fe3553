// One channel and many viewers: what does a delivered event cost the server, and what does a viewer weigh?
import { createPublisher } from '../dist/shared/channel/publisher.js';
import { sleep, startMeasured, startRedis, temporaryFolder } from './lib/processes.mjs';
import { median, printTable } from './lib/table.mjs';

const VIEWERS = 1000;
const VIEWERS_FOR_MEMORY = 5000;
const EVENTS = 400;
const EVENT_EVERY_MS = 10;
const ROUNDS = 3;
const DATA = {
  mark: 'mark',
  jobId: 'a'.repeat(36),
  attempt: 1,
  percent: 42.5,
  current: 425,
  total: 1000,
  unit: 'rows',
};
const MARKED = JSON.stringify({ ...DATA, mark: undefined }).replace('{', '{"mark":"mark",');

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

/** The real API; the viewers watch the channel of a job. */
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
    prefix: 'headway',
    logLength: 1000,
    ttlMs: 3_600_000,
    sharded: true,
  });
  // Log events: each one has to be delivered, as by the peers.
  const publish = () =>
    publisher.publish(`job:${job.id}`, { event: 'progress', kind: 'log', data: JSON.parse(MARKED) });
  return { server, url: `${server.url}${job.links.events}?token=${job.token}`, publish };
}

async function measure(start, viewerCount, events) {
  const redis = await startRedis();
  const { server, url, publish } = await start(redis);
  const openViewers = async () => {
    const viewers = await startMeasured('bench/lib/viewers.mjs', {});
    viewers.send({ open: Array(viewerCount).fill(url) });
    await viewers.next();
    for (let i = 0; i < 50; i++) await publish();
    await sleep(500);
    return viewers;
  };
  // Whatever is made once (compiled code, room in the heap) is not the weight of a viewer: as many come and go first.
  await (await openViewers()).stop();
  await sleep(500);
  const empty = await server.probe({ gc: true });
  const viewers = await openViewers();
  const full = await server.probe({ gc: true });
  viewers.send({ count: true });
  const { frames } = await viewers.next();
  const before = await server.probe();
  const arrived = viewers.next();
  viewers.send({ expect: frames + events * viewerCount });
  for (let i = 0; i < events; i++) {
    await publish();
    await sleep(EVENT_EVERY_MS);
  }
  if (events > 0) await arrived;
  const after = await server.probe();
  await Promise.all([server.stop(), viewers.stop()]);
  await redis.stop();
  return {
    usPerEvent: (after.cpuUs - before.cpuUs) / (events * viewerCount),
    heapKiB: (full.heapBytes - empty.heapBytes) / viewerCount / 1024,
    rssKiB: (full.rssBytes - empty.rssBytes) / viewerCount / 1024,
  };
}

const contestants = [
  ['plain net socket loop', startLoop],
  ['Headway', startHeadway],
  ['better-sse on Express', startBetterSse],
];

export async function fanout() {
  console.log(
    `\nfan-out: 1 channel, ${VIEWERS} viewers, ${EVENTS} events, median of ${ROUNDS} rounds in turn;`,
  );
  console.log(`memory at ${VIEWERS_FOR_MEMORY} viewers, after as many have come and gone`);
  const results = new Map(contestants.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, start] of contestants) results.get(name).push(await measure(start, VIEWERS, EVENTS));
  }
  const rows = [];
  for (const [name, start] of contestants) {
    const weight = await measure(start, VIEWERS_FOR_MEMORY, 0);
    rows.push({ name, us: median(results.get(name).map(({ usPerEvent }) => usPerEvent)), ...weight });
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
  return {
    'fan-out, CPU against the loop': [headway.us / loop.us, 1.25],
    'KiB per viewer': [headway.rssKiB, 12],
  };
}
