import type { Cluster, Redis } from 'ioredis';
import { askingServerTime } from './server-clock.js';

const runs = new WeakMap<object, string>();
/** Connections behind something that gives each another server: what their runs say means nothing. */
const ignored = new WeakSet<object>();

/** The run of the server that answered `INFO` with this; empty where it does not say. */
export const runIn = (info: string): string => /^run_id:(\w{1,12})/m.exec(info)?.[1] ?? '';

/**
 * Notes the `run_id` of the server behind a connection: it is another after each start of Redis and on each replica. ioredis
 * asks for `INFO` before it calls a connection ready, so the id is known before the first command is sent. The same answer
 * says what time it is there.
 */
export function noteServerRun(redis: Redis): void {
  const info = redis.info.bind(redis) as (...args: unknown[]) => Promise<string>;
  const note = (reply: unknown, answered: (serverMs: number) => void): void => {
    if (typeof reply !== 'string') return;
    const micros = /^server_time_usec:(\d+)/m.exec(reply)?.[1];
    if (micros) answered(Number(micros) / 1000);
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

/** The run of the server that a connection is to; empty while it is not known, and for a Cluster. */
export const serverRun = (redis: Redis | Cluster): string => runs.get(redis) ?? '';

/**
 * Compares connections to one address: behind a proxy that spreads them over servers, their runs differ, and a change of run
 * says nothing. Then runs are unknown from now on.
 * @returns whether they agree
 */
export function haveSameRun(...connections: Redis[]): boolean {
  const [first, ...others] = connections.map((redis) => serverRun(redis));
  if (others.every((run) => run === first || run === '' || first === '')) return true;
  for (const redis of connections) {
    ignored.add(redis);
    runs.delete(redis);
  }
  return false;
}

/** Whether a connection is to this run of a server, as far as both are known. */
export const isRun = (redis: Redis | Cluster, run: string): boolean =>
  run === '' || serverRun(redis) === '' || serverRun(redis) === run;

/** Between a reading and what was to be written because of it, Redis was started again, or another server took over. */
export class ServerReplacedError extends Error {
  constructor() {
    super('Redis was replaced between a reading and a writing');
    this.name = 'ServerReplacedError';
  }
}
