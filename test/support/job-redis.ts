import type { Redis } from 'ioredis';

/**
 * The bundle of ioredis in `dist`, which is one file; the package is a hundred. It is loaded when a job first needs it:
 * most processes load the job files of a test and run none of these jobs.
 */
const IOREDIS = new URL('../../dist/node_modules/ioredis/lib/index.mjs', import.meta.url).href;

/**
 * Opens a job's own connection to the Redis of its test, which may be a Cluster. It is used for commands of one key.
 * @param url Defaults to the Redis of the process.
 */
export async function openRedis(url = process.env.REDIS_URL!): Promise<Redis> {
  const { Cluster, Redis } = (await import(IOREDIS)) as typeof import('ioredis');
  const [, hosts] = /^redis\+cluster:\/\/(?:[^@]*@)?(.*)$/.exec(url) ?? [];
  const [, username, password] = /\/\/([^:@]*):([^@]*)@/.exec(url) ?? [];
  const redis = hosts
    ? (new Cluster(
        hosts.split(',').map((host) => ({ host: host.split(':')[0], port: Number(host.split(':')[1]) })),
        { redisOptions: { maxRetriesPerRequest: null, ...(username ? { username, password } : {}) } },
      ) as unknown as Redis)
    : new Redis(url, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  return redis;
}
