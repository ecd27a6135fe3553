import { Cluster, Redis } from 'ioredis';

/** Opens a job's own connection to the Redis of its test, which may be a Cluster. It is used for commands of one key. */
export function openRedis(url: string): Redis {
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
