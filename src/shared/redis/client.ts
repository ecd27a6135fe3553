import type { Cluster, Redis } from 'ioredis';
import { slotOf } from '../hash-slot.js';

/** A connection for commands: to one server, or to the nodes of a Redis Cluster. */
export type RedisClient = Redis | Cluster;

export const isCluster = (redis: RedisClient): redis is Cluster => redis.isCluster;

/** Internals of ioredis that its types leave out: the nodes of each slot, the master first, and the connections by node. */
interface Internals {
  slots: ReadonlyArray<readonly string[] | undefined>;
  connectionPool: { getInstanceByKey(node: string): Redis | undefined };
}
const internalsOf = (cluster: Cluster): Internals => cluster as unknown as Internals;

/** Returns the address `host:port` of a node, as it is named in the slots. */
export const nodeName = ({ options: { host, port } }: Redis): string => `${host}:${port}`;

/** Returns the master of a slot of a Cluster; `undefined` if none is known. */
export const masterOf = (cluster: Cluster, slot: number): string | undefined =>
  internalsOf(cluster).slots[slot]?.[0];

/** Returns the masters that have slots. */
export function mastersOf(cluster: Cluster): Set<string> {
  const masters = new Set<string>();
  let last: readonly string[] | undefined;
  for (const nodes of internalsOf(cluster).slots) {
    // The slots of a range have one array. This runs for each of 16,384 slots, several times a second during a failover.
    if (nodes !== last && nodes?.[0]) masters.add(nodes[0]);
    last = nodes;
  }
  return masters;
}

/**
 * Returns the connection to the server with a key. Unlike a command to a Cluster, a command on it is not sent elsewhere if the
 * key has moved: for what is asked of a server itself, such as its time.
 * @throws Error as ioredis does without a connection
 */
export function nodeOf(redis: RedisClient, key: string): Redis {
  if (!isCluster(redis)) return redis;
  const node = internalsOf(redis).connectionPool.getInstanceByKey(masterOf(redis, slotOf(key)) ?? '');
  if (!node) throw new Error('Connection is closed.');
  return node;
}

/**
 * Returns the connections to all masters, or to the one server.
 * @throws Error as ioredis does if one is missing
 */
export function allNodes(redis: RedisClient): Redis[] {
  if (!isCluster(redis)) return [redis];
  const { connectionPool } = internalsOf(redis);
  const nodes = Array.from(mastersOf(redis), (name) => connectionPool.getInstanceByKey(name));
  if (nodes.length === 0 || nodes.includes(undefined)) throw new Error('Connection is closed.');
  return nodes.filter((node) => node !== undefined);
}

/** Checks that every server that commands may need answers. */
export async function pingAll(redis: RedisClient): Promise<void> {
  await Promise.all(allNodes(redis).map((node) => node.ping()));
}

/** Publishes a message to all processes that have subscribed with a connection for Pub/Sub. Returns how many it has reached. */
export const publishTo = (redis: RedisClient, channel: string, message: string): Promise<number> =>
  // In a Cluster, PUBLISH counts the subscribers of one node only.
  isCluster(redis) ? (redis.spublish(channel, message) as Promise<number>) : redis.publish(channel, message);
