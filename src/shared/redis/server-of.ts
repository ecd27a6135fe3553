import type { Redis } from 'ioredis';

/** Returns the address of a connection. Connections to one address usually reach the same server. */
export function serverOf(redis: Redis): string {
  const { host, port, path } = redis.options;
  return path ?? `${host}:${port}`;
}
