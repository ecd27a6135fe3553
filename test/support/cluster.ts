import type { Redis } from 'ioredis';
import { slotOf } from '../../src/shared/hash-slot.js';
import { type Certificate, tlsArguments } from './certificates.js';
import { type Link, startLink } from './links.js';
import { freePort, openNode, startRedis, type TestRedis } from './redis.js';
import { until } from './until.js';

/** How long a node may be silent before the others replace it, in ms. */
const NODE_TIMEOUT_MS = 1000;
const SLOTS = 16384;

/** The authority of a Cluster with TLS, as a PEM file, and the certificate of all nodes. */
export interface ClusterTls {
  ca: string;
  certificate: Certificate;
}

/** A node of a Cluster. */
export interface ClusterNode extends TestRedis {
  /** Its id in the Cluster. */
  id: string;
  /** A connection for the test itself. */
  admin: Redis;
  /** The port that it announces to the other nodes and to clients. */
  announced: number;
}

/** A Redis Cluster of real servers. */
export interface TestCluster {
  /** The address of two of the masters. */
  url: string;
  /** The masters first, and then a replica of each, in the same order. */
  nodes: ClusterNode[];
  /** Returns the master of a key, as another node than `except` sees it. */
  masterOf(key: string, except?: ClusterNode): Promise<ClusterNode>;
  /** Returns another master than the one of a key. */
  otherMaster(key: string): Promise<ClusterNode>;
  /** Waits until each slot has a master, and each master a replica that is in sync, in the eyes of every node. */
  settled(): Promise<void>;
  /** Waits until everything that was written before is on the replicas. */
  replicated(): Promise<void>;
  /**
   * Moves the slot of a key to another master, a few keys at a time, as `redis-cli --cluster reshard` does.
   * @param halfWay called when half of the keys have moved. The others move when it has resolved.
   */
  moveSlot(key: string, to: ClusterNode, halfWay?: () => Promise<unknown>): Promise<void>;
  /**
   * Separates a node from the other nodes, and from clients too unless `clients` is `false`: nothing arrives, and no connection is
   * closed. Only with `links`.
   */
  separate(node: ClusterNode, options?: { clients?: boolean }): void;
  /** Ends every separation. What was held back arrives. */
  join(): void;
  stop(): Promise<void>;
}

/**
 * @param args further arguments for each redis-server
 * @param links whether nodes and clients reach each node through proxies, so that nodes can be separated
 * @param tls makes clients and nodes connect to each node with TLS. The test itself does not need it.
 */
export async function startCluster({
  args = [] as string[],
  replicas = true,
  links = false,
  tls = undefined as ClusterTls | undefined,
} = {}): Promise<TestCluster> {
  const count = replicas ? 6 : 3;
  const nodes = await Promise.all(
    Array.from({ length: count }, (_, i) => startNode(args, links ? `127.0.1.${i + 1}` : undefined, tls)),
  );
  const masters = nodes.slice(0, 3);
  const first = nodes[0]!;
  await Promise.all(
    masters.map(({ admin }, i) =>
      admin.cluster('ADDSLOTSRANGE', Math.ceil((i * SLOTS) / 3), Math.ceil(((i + 1) * SLOTS) / 3) - 1),
    ),
  );
  // So that no two nodes have the same epoch, which they would have to settle first.
  await Promise.all(nodes.map(({ admin }, i) => admin.cluster('SET-CONFIG-EPOCH', i + 1)));
  for (const { announced, bus } of nodes.slice(1))
    await first.admin.call('CLUSTER', 'MEET', '127.0.0.1', announced, bus);
  await until('all nodes know each other', async () =>
    (await Promise.all(nodes.map(({ admin }) => linesOf(admin)))).every(
      (lines) => lines.length === count && !lines.some((line) => /handshake|disconnected/.test(line)),
    ),
  );
  for (const [i, { admin }] of nodes.slice(3).entries()) await admin.cluster('REPLICATE', masters[i]!.id);

  async function holderOf(slot: number, except?: ClusterNode): Promise<ClusterNode> {
    const asked = nodes.find((node) => node !== except && node.admin.status === 'ready' && !node.isDown());
    const ranges = await asked!.admin.cluster('SLOTS');
    const range = ranges.find(([from, to]) => from <= slot && slot <= to);
    return nodes.find(({ id }) => id === range?.[2]?.[2])!;
  }
  const cluster: TestCluster = {
    url: `${tls ? 'rediss' : 'redis'}+cluster://127.0.0.1:${nodes[0]!.announced},127.0.0.1:${nodes[1]!.announced}`,
    nodes,
    masterOf: (key, except) => holderOf(slotOf(key), except),
    async otherMaster(key) {
      const holder = await holderOf(slotOf(key));
      const others = await Promise.all([0, 6000, 12_000].map((slot) => holderOf(slot)));
      return others.find((other) => other !== holder)!;
    },
    async settled() {
      await until(
        'the Cluster is complete',
        async () => (await Promise.all(nodes.map(({ admin }) => isSettled(admin, replicas)))).every(Boolean),
        30_000,
      );
    },
    async replicated() {
      const written = new Set<ClusterNode>();
      for (let i = 0; written.size < 3; i++) {
        const key = `test:${i}`;
        const master = await holderOf(slotOf(key));
        if (written.has(master)) continue;
        written.add(master);
        // WAIT is about what this connection has written.
        await master.admin.set(key, 1);
        await until('the replica has it', async () => (await master.admin.wait(1, 1000)) === 1);
      }
    },
    async moveSlot(key, to, halfWay) {
      const slot = slotOf(key);
      const from = await holderOf(slot);
      await to.admin.cluster('SETSLOT', slot, 'IMPORTING', from.id);
      await from.admin.cluster('SETSLOT', slot, 'MIGRATING', to.id);
      const half = Number(await from.admin.cluster('COUNTKEYSINSLOT', slot)) / 2;
      let stop: Promise<unknown> | undefined;
      for (let moved = 0; ; ) {
        const keys = (await from.admin.cluster('GETKEYSINSLOT', slot, 10)) as string[];
        if (keys.length === 0) break;
        await from.admin.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5000, 'KEYS', ...keys);
        moved += keys.length;
        if (stop || moved < half) continue;
        stop = halfWay?.() ?? Promise.resolve();
        // If it fails, the move is finished nevertheless: the next test needs the slot.
        await Promise.allSettled([stop]);
      }
      await to.admin.cluster('SETSLOT', slot, 'NODE', to.id);
      await from.admin.cluster('SETSLOT', slot, 'NODE', to.id);
      for (const { admin } of nodes) await admin.cluster('SETSLOT', slot, 'NODE', to.id).catch(() => {});
      await stop;
    },
    separate(node, { clients = true } = {}) {
      const { address } = node as StartedNode;
      const addresses = new Set(nodes.map((one) => one.address));
      for (const { address: of, links: proxies } of nodes) {
        const isCut = (from: string): boolean =>
          of === address ? clients || addresses.has(from) : from === address;
        for (const link of proxies) link.cut(isCut);
      }
    },
    join() {
      for (const link of nodes.flatMap((node) => node.links)) link.cut(() => false);
    },
    async stop() {
      for (const { admin } of nodes) admin.disconnect();
      for (const link of nodes.flatMap((node) => node.links)) link.stop();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
  await cluster.settled();
  return cluster;
}

interface StartedNode extends ClusterNode {
  /** The port that it announces to the other nodes. */
  bus: number;
  /** The address from which it connects to the other nodes, if there are proxies. */
  address: string | undefined;
  links: Link[];
  /** Whether the test has ended or stopped its process. */
  isDown(): boolean;
}

async function startNode(
  args: string[],
  address: string | undefined,
  tls: ClusterTls | undefined,
): Promise<StartedNode> {
  const bus = await freePort();
  const encrypted = tls ? await freePort() : undefined;
  const links = address ? [await startLink(() => server.port), await startLink(() => bus)] : [];
  const [port, busPort = bus] = links.map((link) => link.port);
  const announce = [
    ...['--bind-source-addr', address ?? '', '--cluster-announce-ip', '127.0.0.1'],
    ...['--cluster-announce-port', String(port), '--cluster-announce-bus-port', String(busPort)],
  ];
  const server = await startRedis({
    args: [
      ...['--cluster-enabled', 'yes', '--cluster-port', String(bus)],
      ...['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--repl-diskless-sync-delay', '0'],
      ...(address ? announce : []),
      ...(tls && encrypted ? tlsArguments(encrypted, tls.ca, tls.certificate) : []),
      ...(tls ? ['--tls-cluster', 'yes'] : []),
      ...args,
    ],
    single: true,
  });
  const admin = openNode(server.port);
  const id = String(await admin.cluster('MYID'));
  let down = false;
  return {
    ...server,
    bus: busPort,
    announced: port ?? encrypted ?? server.port,
    address,
    links,
    id,
    admin,
    isDown: () => down,
    async kill(signal) {
      down = true;
      await server.kill(signal);
    },
    signal(signal) {
      down = signal === 'SIGSTOP';
      server.signal(signal);
    },
    async restart() {
      await server.restart();
      down = false;
    },
  };
}

const linesOf = async (admin: Redis): Promise<string[]> =>
  String(await admin.cluster('NODES'))
    .trim()
    .split('\n');

/** Whether a node sees a Cluster that is complete. */
async function isSettled(admin: Redis, replicas: boolean): Promise<boolean> {
  const info = String(await admin.cluster('INFO'));
  if (!/cluster_state:ok/.test(info) || !/cluster_slots_ok:16384/.test(info)) return false;
  const lines = await linesOf(admin);
  if (lines.some((line) => /fail|handshake|disconnected/.test(line))) return false;
  if (!replicas) return true;
  const replication = await admin.info('replication');
  return /role:master/.test(replication)
    ? /slave0:.*state=online/.test(replication)
    : /master_link_status:up/.test(replication);
}

/**
 * Starts a Cluster of three masters in place of one server, for the tests that run on both. What the test does to the server
 * itself is done to all masters.
 */
export async function startClusterAsRedis(args: string[]): Promise<TestRedis> {
  const cluster = await startCluster({ args, replicas: false });
  const { nodes } = cluster;
  const all = (work: (node: ClusterNode) => Promise<void>) => async () => {
    await Promise.all(nodes.map(work));
  };
  return {
    url: cluster.url,
    port: nodes[0]!.port,
    kill: async (signal) => all((node) => node.kill(signal))(),
    signal: (signal) => {
      for (const node of nodes) node.signal(signal);
    },
    restart: all((node) => node.restart()),
    keepCopy() {
      const copies = nodes.map((node) => node.keepCopy());
      return () => {
        for (const restore of copies) restore();
      };
    },
    stop: cluster.stop,
  };
}
