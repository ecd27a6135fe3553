// A Redis Cluster of masters without replicas. It has the functions of `startRedis`.
import { once } from 'node:events';
import { Cluster } from 'ioredis';
import { freePort } from '../../scripts/lib/free-port.mjs';
import { sleep, startRedis } from './processes.mjs';

const SLOTS = 16_384;
const POLL_MS = 50;

async function startMaster() {
  // The default is the server's port + 10,000, which may be over 65,535.
  const bus = await freePort();
  const server = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', bus],
      // A server alone in its Cluster does not know its address, and ioredis ignores a server without one.
      ...['--cluster-announce-ip', '127.0.0.1'],
    ],
  });
  return { ...server, bus };
}

/** @param masters the number of servers, each with an equal part of the slots */
export async function startCluster(masters) {
  const servers = [];
  for (let i = 0; i < masters; i++) servers.push(await startMaster());
  const from = (i) => Math.ceil((i * SLOTS) / masters);
  for (const [i, { client }] of servers.entries()) {
    await client.cluster('ADDSLOTSRANGE', from(i), from(i + 1) - 1);
    await client.cluster('SET-CONFIG-EPOCH', i + 1);
  }
  for (const { port, bus } of servers.slice(1)) {
    await servers[0].client.cluster('MEET', '127.0.0.1', port, bus);
  }
  for (const { client } of servers) {
    while (!(await client.cluster('INFO')).includes('cluster_state:ok')) await sleep(POLL_MS);
    while ((await client.cluster('SLOTS')).length < masters) await sleep(POLL_MS);
  }
  const client = new Cluster(servers.map(({ port }) => ({ host: '127.0.0.1', port })));
  client.on('error', () => {});
  if (client.status !== 'ready') await once(client, 'ready');
  return {
    url: `redis+cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    client,
    /** The CPU time of each server, in µs. */
    cpuOfEach: () => servers.map((server) => server.cpuUs()),
    cpuUs: () => servers.reduce((sum, server) => sum + server.cpuUs(), 0),
    async stop() {
      client.disconnect();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Returns the CPU time of the busiest server between two looks at `cpuOfEach`, in µs. */
export const busiest = (before, after) => Math.max(...after.map((us, i) => us - before[i]));
