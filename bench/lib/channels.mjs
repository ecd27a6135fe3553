// One channel with viewers: Headway's API with a job that waits, better-sse on Express, and a loop over sockets. Each
// has a Redis of its own, and publishes every event to every viewer.
import { createPublisher } from '../../dist/shared/channel/publisher.js';
import { channelScripts } from '../../dist/shared/channel/scripts.js';
import { createKeyspace } from '../../dist/shared/keyspace.js';
import { startHeadway } from './installations.mjs';
import { startMeasured, startRedis } from './processes.mjs';

/** The data of an event, without its first field. */
const REST = {
  jobId: 'a'.repeat(36),
  attempt: 1,
  percent: 42.5,
  current: 425,
  total: 1000,
  unit: 'rows',
};
const dataOf = (message) => ({ message, ...REST });

export const startBetterSse = () =>
  startExpress('bench/peers/better-sse.mjs', (redis, data) => redis.publish('bench', JSON.stringify(data)));

/** better-sse with the least that lets viewers return. */
export const startBetterSseReplay = () =>
  startExpress('bench/peers/better-sse-replay.mjs', async (redis, data) => {
    const id = await redis.xadd('log', '*', 'data', JSON.stringify(data));
    await redis.publish('bench', JSON.stringify({ id, data }));
  });

async function startExpress(script, publish) {
  const redis = await startRedis();
  const start = (env) => startMeasured(script, { REDIS_URL: redis.url, ...env });
  return channel({
    name: 'better-sse on Express',
    redis,
    start,
    api: await start({ PORT: '0' }),
    path: '/',
    opened: '\n\n',
    publish: (message = 'mark') => publish(redis.client, dataOf(message)),
  });
}

export async function startLoop() {
  const redis = await startRedis();
  const start = () => startMeasured('bench/peers/loop.mjs', { REDIS_URL: redis.url });
  let id = 0;
  const frameOf = (data) => `id: ${redis.port}-${++id}\nevent: progress\ndata: ${JSON.stringify(data)}\n\n`;
  return channel({
    name: 'plain net socket loop',
    redis,
    start,
    api: await start(),
    path: '/',
    opened: '\n\n',
    publish: (message = 'mark') => redis.client.publish('bench', frameOf(dataOf(message))),
  });
}

/** Returns the publisher of channels that Headway's processes have. @param redis of `startRedis`, with `channelScripts` */
export const openPublisher = (redis) =>
  createPublisher({
    redis: redis.client,
    keyspace: createKeyspace('headway'),
    logLength: 1000,
    ttlMs: 3_600_000,
    sharded: true,
  });

/** The real API, with viewers of the channel of one job. @param env further settings */
export async function startHeadwayChannel(env = {}) {
  const { redis, api, settings } = await startHeadway({
    workers: 0,
    env,
    redis: { scripts: channelScripts },
  });
  const response = await fetch(`${api.url}/v1/jobs`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'tiny', options: { delayMs: 3_600_000 } }),
  });
  const job = await response.json();
  const publisher = openPublisher(redis);
  return channel({
    name: 'Headway',
    redis,
    api,
    start: (more) => startMeasured('dist/api/main.js', { ...settings, ...more }),
    path: `${job.links.events}?token=${job.token}`,
    opened: 'event: ',
    // Log events, because every one must be delivered. The peers deliver every event too.
    publish: (message = 'mark') =>
      publisher.publish(`job:${job.id}`, { event: 'progress', kind: 'log', data: dataOf(message) }),
  });
}

function channel(parts) {
  const side = {
    ...parts,
    get url() {
      return new URL(parts.path, side.api.url).href;
    },
    /** Kills the API as a crash does. */
    kill: () => side.api.stop(),
    /** Starts the API again, at the same address. */
    async restart() {
      side.api = await parts.start({ PORT: new URL(side.api.url).port });
    },
    async stop() {
      await side.api.stop();
      await parts.redis.stop();
    },
  };
  return side;
}

/**
 * Opens viewers in a process of their own. Resolves to it when each has received what a viewer gets at once.
 * @param client the script of the process
 */
export async function openViewers(side, count, client = 'bench/lib/viewers.mjs') {
  const viewers = await startMeasured(client, {});
  await openMore(viewers, side, count);
  return viewers;
}

/** Opens viewers in a process of viewers. Resolves to how long it took, in ms. */
export async function openMore(viewers, side, count) {
  viewers.send({ open: Array(count).fill(side.url), opened: side.opened });
  return (await viewers.next()).ms;
}
