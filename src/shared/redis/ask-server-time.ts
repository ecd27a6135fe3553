import type { Keyspace } from '../keyspace.js';
import { isCluster, nodeOf, type RedisClient } from './client.js';
import { askingServerTime } from './server-clock.js';

/** How often Redis is asked for its time, in ms. */
const ASK_MS = 10_000;

/**
 * Asks Redis for its time at regular intervals. The clock of a Cluster is that of the master that has the jobs.
 * @returns a function that stops it
 */
export function keepServerClock(redis: RedisClient, { queuePrefix }: Keyspace): () => void {
  async function ask(): Promise<void> {
    const answered = askingServerTime();
    const [seconds = Number.NaN, micros = Number.NaN] = (await nodeOf(redis, queuePrefix).time()).map(Number);
    answered(seconds * 1000 + micros / 1000);
  }
  const askIfReady = (): void => {
    // While Redis is unavailable, a command would only wait; every new connection reads the time anyway.
    if (redis.status === 'ready') ask().catch(() => {});
  };
  askIfReady();
  const timer = setInterval(askIfReady, ASK_MS).unref();
  // The master may be another one now.
  if (isCluster(redis)) redis.on('refresh', askIfReady);
  return () => {
    clearInterval(timer);
    if (isCluster(redis)) redis.off('refresh', askIfReady);
  };
}
