import type { Redis } from 'ioredis';
import { isCluster, type RedisClient } from './client.js';
import { askingServerTime } from './server-clock.js';

const runs = new WeakMap<object, string>();
/** Connections through a proxy that spreads them over several servers: their run ids are not comparable. */
const ignored = new WeakSet<object>();

/** Returns the address of a connection. Connections to one address usually reach the same server. */
export function serverOf(redis: Redis): string {
  const { host, port, path, sentinels, name } = redis.options;
  if (sentinels) return `${name}@${sentinels.map((sentinel) => `${sentinel.host}:${sentinel.port}`).join()}`;
  return path ?? `${host}:${port}`;
}

/** Returns the first characters of `run_id` in a reply to `INFO`; empty if it is missing. */
export const runIn = (info: string): string => /^run_id:(\w{1,12})/m.exec(info)?.[1] ?? '';

/**
 * Records the `run_id` of the server behind a connection. It changes with each start of Redis and differs between replicas.
 * ioredis reads `INFO` before a connection is ready, so the id is known before the first command. The same reply has the
 * server's time.
 * @param clock whether that is the clock of the installation. Defaults to true
 */
export function noteServerRun(redis: Redis, { clock = true } = {}): void {
  const info = redis.info.bind(redis) as (...args: unknown[]) => Promise<string>;
  const note = (reply: unknown, answered: (serverMs: number) => void): void => {
    if (typeof reply !== 'string') return;
    const micros = /^server_time_usec:(\d+)/m.exec(reply)?.[1];
    if (micros && clock) answered(Number(micros) / 1000);
    const id = runIn(reply);
    if (id && !ignored.has(redis)) runs.set(redis, id);
  };
  redis.info = ((...args: unknown[]) => {
    const callback = args.at(-1);
    const answered = askingServerTime();
    if (typeof callback !== 'function') {
      const reply = info(...args);
      reply.then(
        (text) => note(text, answered),
        () => {},
      );
      return reply;
    }
    return info(...args.slice(0, -1), (error: unknown, reply: unknown) => {
      note(reply, answered);
      callback(error, reply);
    });
  }) as Redis['info'];
  redis.on('close', () => runs.delete(redis));
}

/** How often this process has noticed that a Cluster lost a master or got another one. */
let topology = 0;
const topologyListeners = new Set<() => void>();

/** Records that the masters of a Cluster are others now, or that one of them may have lost writes. */
export function noteTopology(): void {
  topology++;
  for (const listener of topologyListeners) listener();
}

/** Calls a listener at each {@link noteTopology}. Returns a function that ends it. */
export function onTopology(listener: () => void): () => void {
  topologyListeners.add(listener);
  return () => topologyListeners.delete(listener);
}

/**
 * Returns the run id of the server behind a connection; empty while it is unknown. For a Cluster, a text that changes when it
 * loses a master or gets another one.
 */
export const serverRun = (redis: RedisClient): string =>
  isCluster(redis) ? `cluster.${topology}` : (runs.get(redis) ?? '');

/**
 * Returns the run that is stored with what a connection writes. The nodes of a Cluster are told apart by their replication
 * ids alone, which the scripts read: a command may reach another node than the one that it was made for.
 */
export const writerRun = (redis: RedisClient): string => (isCluster(redis) ? 'cluster' : serverRun(redis));

/**
 * Compares the run ids of connections to one address. If they differ, a proxy spreads the connections over several servers and
 * a change of the id means nothing: from then on the ids of these connections count as unknown. With Sentinel, a difference
 * means only that the master has changed meanwhile.
 * @returns whether the ids are the same
 */
export function haveSameRun(...connections: RedisClient[]): boolean {
  if (connections.some((redis) => isCluster(redis) || redis.options.sentinels)) return true;
  const [first, ...others] = connections.map((redis) => serverRun(redis));
  if (others.every((run) => run === first || run === '' || first === '')) return true;
  for (const redis of connections) {
    ignored.add(redis);
    runs.delete(redis);
  }
  return false;
}

/** Returns whether a connection is to this run of a server; `true` if either is unknown. */
export const isRun = (redis: RedisClient, run: string): boolean =>
  run === '' || serverRun(redis) === '' || serverRun(redis) === run;

/** Redis was restarted, or another server took over, between a read and the write that depends on it. */
export class ServerReplacedError extends Error {
  constructor() {
    super('Redis was replaced between a read and a write');
    this.name = 'ServerReplacedError';
  }
}
