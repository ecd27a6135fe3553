import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { allNodes, isCluster, type RedisClient } from './client.js';
import { explainCluster } from './explain-cluster.js';
import { explainSentinels } from './explain-sentinels.js';
import { isRedisFault } from './faults.js';
import { askSentinels } from './sentinel.js';
import { mistakeIn, type Reason, reasonOf, redactRedisUrl, UnusableRedisError } from './unusable.js';

/**
 * The first line about waiting comes with the first error, or after this long without an answer; then one comes at each
 * interval, in ms.
 */
const FIRST_LINE_MS = 1000;
const LINE_MS = 5000;
/** The error of ioredis when it has asked all Sentinels in vain. */
const NO_SENTINEL = /^All sentinels are unreachable/;
/** The part of ioredis' `ClusterAllFailedError` that is used. */
interface ClusterError extends Error {
  lastNodeError?: Error;
}
/** How long to wait before a server that refused a command is asked again, in ms. */
const AGAIN_MS = 500;

export interface AwaitOptions {
  /** The address, for messages. Its credentials are not shown. */
  url: string;
  /** Called every few seconds with one line that says what is waited for and why. */
  onWait?: (line: string) => void;
  /** Ends the wait. Without it, the wait has no limit. */
  signal?: AbortSignal | undefined;
}

/** Properties of a Redis server. */
export interface RedisServer {
  version: string;
  /** Whether the server has sharded Pub/Sub (Redis 7 and Valkey have it). */
  sharded: boolean;
  /** A setting of the server that should be changed, in one line. */
  warning?: string;
}

/**
 * Waits until the server answers, however long it is away, and checks that Headway can use it.
 * @throws UnusableRedisError for what waiting does not mend (a wrong password, a version before 6.2, a node of a Redis
 * Cluster at the address of one server, a failed TLS handshake), and when `signal` is aborted
 */
export const checkRedis = (redis: RedisClient, options: AwaitOptions): Promise<RedisServer> =>
  whileAway(redis, options, async () => {
    const place = redactRedisUrl(options.url);
    const found = await Promise.all(
      allNodes(redis).map((node) => checkServer(node, place, isCluster(redis))),
    );
    const [first] = found;
    if (!first) throw new UnusableRedisError(`no Redis responds at ${place}`);
    if (!isCluster(redis)) return first;
    if (!found.every(({ sharded }) => sharded)) {
      throw new UnusableRedisError(`a Redis Cluster must have Redis 7 or newer, or Valkey (${place})`);
    }
    return found.find(({ warning }) => warning) ?? first;
  });

/** Checks one server, or one master of a Cluster. @throws UnusableRedisError */
async function checkServer(redis: Redis, place: string, isNode: boolean): Promise<RedisServer> {
  const info = await redis.info('server');
  const version = /^redis_version:(.*)$/m.exec(info)?.[1]?.trim() ?? '0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 2)) {
    throw new UnusableRedisError(`Redis ${version} is too old: Headway needs Redis 6.2 or newer, or Valkey`);
  }
  if (/^redis_mode:cluster/m.test(info) && !isNode) {
    throw new UnusableRedisError(
      `Redis at ${place} is part of a Redis Cluster: use redis+cluster://<host>:<port>, or set REDIS_CLUSTER=true`,
    );
  }
  if (/^redis_mode:sentinel/m.test(info)) {
    throw new UnusableRedisError(
      `the server at ${place} is a Sentinel: use redis+sentinel://<host>:<port>/<name of the master>`,
    );
  }
  const [known] = (await redis.command('INFO', 'SPUBLISH')) as unknown[];
  const policy = /^maxmemory_policy:(.*)$/m.exec(await redis.info('memory'))?.[1]?.trim();
  return {
    version,
    sharded: known != null,
    ...(policy && policy !== 'noeviction'
      ? {
          warning: `Redis may evict jobs because its maxmemory-policy is "${policy}". Run: CONFIG SET maxmemory-policy noeviction`,
        }
      : {}),
  };
}

/**
 * Waits until a connection is ready.
 * @throws UnusableRedisError as {@link checkRedis} does
 */
export const awaitRedis = (redis: RedisClient, options: AwaitOptions): Promise<void> =>
  whileAway(redis, options, async () => {});

/** Does something with Redis as soon as it is there, and again if it goes away meanwhile. */
export async function whileAway<T>(
  redis: RedisClient,
  options: AwaitOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { url, onWait = () => {}, signal } = options;
  const place = redactRedisUrl(url);
  let reason: string | undefined;
  const withReason = (text: string): string => (reason === undefined ? text : `${text}: ${reason}`);
  let told = false;
  const tell = (): void => {
    told = true;
    if (reason === undefined && redis.status === 'connect' && !isCluster(redis)) {
      onWait(
        `waiting for Redis at ${place}: it accepted the connection, but is not ready (it may be loading its data)`,
      );
    } else onWait(withReason(`waiting for Redis at ${place}`));
  };
  const tellFirst = (): void => {
    if (!told) tell();
  };
  const first = setTimeout(tellFirst, FIRST_LINE_MS);
  const timer = setInterval(tell, LINE_MS);
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  // It may fail before anything waits for it.
  failed.catch(() => {});
  const note = (given: Error): void => {
    // The error of a Cluster says only that no node could be used.
    const error = (given as ClusterError).lastNodeError ?? given;
    const mistake = mistakeIn(error, place);
    if (mistake) fail(new UnusableRedisError(mistake));
    else if (isVague(error)) void askWhy();
    else {
      reason = reasonOf(error, url);
      tellFirst();
    }
  };
  const isVague = ({ name, message }: Error): boolean =>
    isCluster(redis) ? name !== 'ReplyError' : NO_SENTINEL.test(message);
  let asking = false;
  /** Finds out why there is no server, where the errors of ioredis do not say so. */
  async function askWhy(): Promise<void> {
    if (asking) return;
    asking = true;
    const why = await explain(redis);
    if (why?.isMistake) fail(new UnusableRedisError(why.text));
    reason = why?.text;
    asking = false;
    if (reason !== undefined) tellFirst();
  }
  const onAbort = (): void => fail(new UnusableRedisError(withReason(`no Redis responds at ${place}`)));
  let onReady = (): void => {};
  redis.on('error', note);
  // The nodes of a Cluster answer, but it cannot be used.
  if (isCluster(redis)) redis.on('reconnecting', askWhy);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  try {
    for (;;) {
      if (redis.status !== 'ready') {
        const ready = new Promise<void>((resolve) => {
          onReady = resolve;
          redis.once('ready', onReady);
        });
        await Promise.race([ready, failed]);
      }
      try {
        return await Promise.race([work(), failed]);
      } catch (error) {
        if (error instanceof UnusableRedisError) throw error;
        note(error as Error);
        if (!isRedisFault(error)) throw error;
        await Promise.race([sleep(AGAIN_MS), failed]);
      }
    }
  } finally {
    clearTimeout(first);
    clearInterval(timer);
    redis.off('error', note);
    redis.off('reconnecting', askWhy);
    redis.off('ready', onReady);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function explain(redis: RedisClient): Promise<Reason | undefined> {
  if (isCluster(redis)) return explainCluster(redis);
  const { options } = redis;
  return explainSentinels(await askSentinels(options), options.name ?? '');
}
