// What one viewer, one more subscribed process and one running job cost: figures for docs/operations/scaling.md that no
// other benchmark has.
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { channelKeys } from '../dist/shared/channel/keys.js';
import { channelScripts } from '../dist/shared/channel/scripts.js';
import { createKeyspace } from '../dist/shared/keyspace.js';
import { openPublisher, openViewers, startHeadwayChannel } from './lib/channels.mjs';
import { row } from './lib/goals.mjs';
import { startHeadway } from './lib/installations.mjs';
import { startNginx } from './lib/nginx.mjs';
import { sleep, startRedis } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { stamp } from './lib/stamp.mjs';
import { sumOf, treeOf } from './lib/tree.mjs';
import { startTickers } from './updates.mjs';

const VIEWERS = scaled(4000);
const EVENTS = 40;
const EVENT_MS = 300;
const SUBSCRIBERS = 11;
const PUBLISHED = scaled(20_000);
const CHANNEL = 'job:one';
const RUNNING = scaled(900);
/** How long the kernel's figures take to settle, in ms. */
const SETTLE_MS = 3000;
const KiB = 1024;

/** Memory of the kernel in bytes: its objects, and the buffers of connections. */
function kernelBytes() {
  const kib = (name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/meminfo', 'utf8'))[1]);
  const pages = Number(/^TCP: .* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))[1]);
  return kib('Slab') * KiB + pages * 4 * KiB;
}

/** Bytes that the machine has sent to itself: packets with their headers, and acknowledgements. */
const loopbackBytes = () => Number(/^\s*lo:\s*(\d+)/m.exec(readFileSync('/proc/net/dev', 'utf8'))[1]);

/**
 * Publishes events. Resolves to what one event to one viewer has added to the figures of `look`, without what the same
 * time costs with heartbeats alone.
 */
async function deliver(side, viewers, look) {
  const during = async (work) => {
    const before = look();
    await work();
    const after = look();
    return Object.fromEntries(Object.entries(before).map(([name, value]) => [name, after[name] - value]));
  };
  viewers.send({ count: true });
  const { frames } = await viewers.next();
  viewers.send({ expect: frames + EVENTS * VIEWERS });
  const arrived = viewers.next();
  const idle = await during(() => sleep(EVENTS * EVENT_MS));
  const busy = await during(async () => {
    for (let i = 0; i < EVENTS; i++) {
      await side.publish(stamp());
      await sleep(EVENT_MS);
    }
    await arrived;
  });
  return Object.fromEntries(
    Object.entries(busy).map(([name, value]) => [name, (value - idle[name]) / (EVENTS * VIEWERS)]),
  );
}

/** A viewer with a connection of its own to the API, and one behind nginx. */
async function viewer() {
  const side = await startHeadwayChannel();
  const first = kernelBytes();
  const direct = await openViewers(side, VIEWERS);
  await sleep(SETTLE_MS);
  // Both ends of a connection are on this machine.
  const kernel = (kernelBytes() - first) / VIEWERS / 2;
  const plain = await deliver(side, direct, () => ({ bytes: loopbackBytes() }));
  await direct.stop();
  const rows = [
    row('memory of the kernel for one end of a viewer’s connection', { unit: 'KiB', headway: kernel / KiB }),
  ];
  const nginx = await startNginx(side.api.url, VIEWERS);
  if (nginx) {
    const look = () => ({ ...sumOf(treeOf(nginx.pid)), bytes: loopbackBytes() });
    const { rssBytes } = look();
    const proxied = await openViewers({ url: nginx.url + side.path, opened: side.opened }, VIEWERS);
    const memory = (look().rssBytes - rssBytes) / VIEWERS;
    const secure = await deliver(side, proxied, look);
    await proxied.stop();
    await nginx.stop();
    rows.push(
      row('an event to one viewer on the wire, with TLS, TCP, IP and acknowledgements', {
        unit: 'B',
        headway: secure.bytes - plain.bytes,
      }),
      row('the same without TLS', { unit: 'B', headway: plain.bytes }),
      row('nginx, for an event to one viewer', { unit: 'µs CPU', headway: secure.cpuUs }),
      row('nginx, memory for one viewer, with TLS', { unit: 'KiB', headway: memory / KiB }),
    );
  } else console.log('nginx is not installed: what it costs is not measured');
  await side.stop();
  return rows;
}

/** One process more that is subscribed to a channel. */
async function subscriber() {
  const redis = await startRedis({ scripts: channelScripts });
  const [name] = channelKeys(createKeyspace('headway'), CHANNEL);
  const publisher = openPublisher(redis);
  const publish = async (count) => {
    const before = redis.cpuUs();
    for (let i = 0; i < count; i++) {
      const data = { percent: i % 100, message: 'importing rows', jobId: 'a'.repeat(36), attempt: 1 };
      await publisher.publish(CHANNEL, { event: 'progress', kind: 'state', key: 'progress', data });
    }
    return (redis.cpuUs() - before) / count;
  };
  const connections = [];
  const subscribe = async () => {
    const connection = new Redis(redis.url);
    await connection.ssubscribe(name);
    connections.push(connection);
  };
  await subscribe();
  await publish(PUBLISHED / 10);
  const one = await publish(PUBLISHED);
  while (connections.length < SUBSCRIBERS) await subscribe();
  const many = await publish(PUBLISHED);
  for (const connection of connections) connection.disconnect();
  await redis.stop();
  return [
    row('Redis, an update with one subscribed process', { unit: 'µs CPU', headway: one }),
    row('Redis, each further subscribed process', {
      unit: 'µs CPU',
      headway: (many - one) / (SUBSCRIBERS - 1),
    }),
  ];
}

/** A job that runs and reports once a second, and its channel. */
async function runningJob() {
  const side = await startHeadway({ concurrency: RUNNING + 1 });
  // What the first job of a kind leaves is not part of the cost of one.
  await startTickers(side, 1, 1000);
  await sleep(SETTLE_MS);
  const before = await side.redis.usedMemory();
  await startTickers(side, RUNNING, 1000);
  await sleep(2 * SETTLE_MS);
  const bytes = ((await side.redis.usedMemory()) - before) / RUNNING;
  await side.stop();
  return [row('memory of Redis for a running job and its channel', { unit: 'KiB', headway: bytes / KiB })];
}

export async function costs() {
  console.log(`\ncosts: ${VIEWERS} viewers, ${SUBSCRIBERS} subscribed processes, ${RUNNING} running jobs`);
  return [...(await viewer()), ...(await subscriber()), ...(await runningJob())];
}
