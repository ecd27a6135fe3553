import type { Redis } from 'ioredis';

/** What a connection was told to connect to: the connections of a process to one address reach one server, as a rule. */
export function serverOf(redis: Redis): string {
  const { host, port, path } = redis.options;
  return path ?? `${host}:${port}`;
}
