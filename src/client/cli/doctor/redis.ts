import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { clientsOf } from '../../../shared/bullmq/worker-census.js';
import { createKeyspace, type Keyspace } from '../../../shared/keyspace.js';
import { findMissingPermissions } from '../../../shared/permissions/check.js';
import { readConfig } from '../../../shared/process/config.js';
import type { RedisSettings } from '../../../shared/process/redis-settings.js';
import { checkRedis } from '../../../shared/redis/await.js';
import { nodeOf, pingAll, type RedisClient } from '../../../shared/redis/client.js';
import { connectRedis } from '../../../shared/redis/connect.js';
import { redactRedisUrl, UnusableRedisError } from '../../../shared/redis/unusable.js';
import { learnShards } from '../../../shared/runtime/shards.js';
import { queueNameOf, shardOf } from '../../../shared/shards.js';
import { bytes } from '../../format.js';
import type { Kind } from '../kinds.js';
import { compareClock } from './clock.js';
import { checkCluster, ofEachNode } from './cluster.js';
import { type Finding, ok, problem, skipped, warning } from './finding.js';
import { parseInfo } from './info.js';
import { checkReplicas, checkSentinels } from './sentinel.js';
import { checkTls } from './tls.js';

const PINGS = 20;
const SLOW_MS = 10;
const CONNECT_MS = 3000;

/**
 * Checks the Redis server that the service uses: the configured one, or the private one of `npm start`.
 * @param kinds the kinds of job that need workers
 * @throws ConfigError
 */
export async function checkRedisServer(env: NodeJS.ProcessEnv, kinds?: Kind[]): Promise<Finding[]> {
  const config = readConfig(env);
  const keyspace = createKeyspace(config.KEY_PREFIX, config.QUEUE_SHARDS);
  const socket = join(config.DATA_DIR, 'redis', 'redis.sock');
  if (env.REDIS_URL || env.REDIS_URL_FILE) return checkServer(config, keyspace, kinds);
  if (existsSync(socket)) return checkServer({ REDIS_URL: `unix:${socket}` }, keyspace, kinds);
  return [skipped('redis', 'not checked', 'Set REDIS_URL to the value that the API and the workers use.')];
}

async function checkServer(settings: RedisSettings, keyspace: Keyspace, kinds?: Kind[]): Promise<Finding[]> {
  const url = settings.REDIS_URL;
  const redis = connectRedis(settings, 'request');
  const sentinels = checkSentinels(redis);
  try {
    const { version } = await checkRedis(redis, { url, signal: AbortSignal.timeout(CONNECT_MS) });
    return [
      versionOf(version, redactRedisUrl(url)),
      ...(await sentinels),
      ...(await checkCluster(redis)),
      await permissions(redis, keyspace),
      ...(await ofEachNode(redis, async (node) => {
        const info = parseInfo(await node.info());
        return [
          ...(node.options.sentinels ? [checkReplicas(info)] : []),
          ...checkTls(node),
          ...checkInfo(info),
        ];
      })),
      await latency(redis),
      await clockOf(redis, keyspace),
      ...(kinds ? [await workers(redis, keyspace, kinds)] : []),
    ];
  } catch (error) {
    const advice =
      error instanceof UnusableRedisError
        ? 'Start Redis, or set REDIS_URL to the value that the API and the workers use.'
        : 'Check the log of Redis, and the permissions of its user (ACL).';
    return [...(await sentinels), problem('redis', (error as Error).message, advice)];
  } finally {
    redis.disconnect();
  }
}

async function permissions(redis: RedisClient, keyspace: Keyspace): Promise<Finding> {
  const check = 'redis permissions';
  const { needed, optional } = await findMissingPermissions(redis, keyspace);
  const advice = 'Give its user the rules of docs/operations/redis.md (ACL SETUSER).';
  if (needed.length > 0) return problem(check, `missing: ${needed.join(', ')}`, advice);
  if (optional.length > 0) return warning(check, `missing: ${optional.join(', ')}`, advice);
  return ok(check, 'the user may do what Headway needs');
}

function versionOf(version: string, place: string): Finding {
  return Number(version.split('.')[0]) < 7
    ? warning(
        'redis',
        `${version} at ${place}`,
        'Redis 7 or newer can also distribute channels over a cluster.',
      )
    : ok('redis', `${version} at ${place}`);
}

/** Checks eviction, persistence, memory, connections and role, from the answer to `INFO`. */
export function checkInfo(info: Map<string, string>): Finding[] {
  const number = (name: string): number => Number(info.get(name) ?? 0);
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  const findings: Finding[] = [
    policy === 'noeviction'
      ? ok('redis eviction', policy)
      : problem(
          'redis eviction',
          `${policy}: may evict jobs`,
          'Run CONFIG SET maxmemory-policy noeviction, and set the same in redis.conf.',
        ),
    persistence(info),
  ];
  const [used, limit] = [number('used_memory'), number('maxmemory')];
  findings.push(
    limit > 0 && used > 0.8 * limit
      ? warning(
          'redis memory',
          `${bytes(used)} of ${bytes(limit)}`,
          'Raise maxmemory, or keep jobs for a shorter time (KEEP_JOBS_MS). A full Redis refuses jobs.',
        )
      : ok('redis memory', bytes(used) + (limit > 0 ? ` of ${bytes(limit)}` : '')),
  );
  const [clients, maxClients] = [number('connected_clients'), number('maxclients')];
  if (maxClients > 0 && clients > 0.8 * maxClients) {
    findings.push(warning('redis connections', `${clients} of ${maxClients}`, 'Raise maxclients.'));
  }
  if (info.get('role') === 'slave') {
    findings.push(problem('redis role', 'a read-only replica', 'Set REDIS_URL to the primary.'));
  }
  return findings;
}

function persistence(info: Map<string, string>): Finding {
  const check = 'redis persistence';
  if (info.get('aof_enabled') !== '1') {
    return warning(
      check,
      'no append-only file: a crash of Redis loses accepted jobs',
      'Run CONFIG SET appendonly yes, and set the same in redis.conf.',
    );
  }
  if (info.get('aof_last_write_status') === 'err') {
    return problem(check, 'the append-only file cannot be written', 'Check the disk of Redis.');
  }
  return ok(check, 'append-only file');
}

async function latency(redis: RedisClient): Promise<Finding> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const begun = performance.now();
    await pingAll(redis);
    times.push(performance.now() - begun);
  }
  times.sort((a, b) => a - b);
  const [middle = 0, worst = 0] = [times[PINGS / 2], times.at(-1)];
  const found = `median ${middle.toFixed(1)} ms, maximum ${worst.toFixed(1)} ms (${PINGS} pings)`;
  return middle > SLOW_MS
    ? warning('redis latency', found, 'Move Redis closer, or look for slow commands: SLOWLOG GET.')
    : ok('redis latency', found);
}

async function clockOf(redis: RedisClient, { queuePrefix }: Keyspace): Promise<Finding> {
  const begun = Date.now();
  const [seconds = 0, micros = 0] = (await nodeOf(redis, queuePrefix).time()).map(Number);
  const ended = Date.now();
  return compareClock(
    'redis clock',
    seconds * 1000 + micros / 1000 - (begun + ended) / 2,
    (ended - begun) / 2 + 1,
  );
}

/** Checks that each queue has a worker in each shard: BullMQ names the connections of workers after their queue. */
async function workers(redis: RedisClient, keyspace: Keyspace, kinds: Kind[]): Promise<Finding> {
  const check = 'workers';
  const list = await clientsOf(redis).catch(() => '');
  if (!list) return warning(check, 'unknown: Redis does not list its clients', 'Allow CLIENT LIST.');
  const names = [...list.matchAll(/ name=(\S+)/g)].map(([, name]) => name ?? '');
  const served = (queue: string): boolean => {
    const prefix = keyspace.prefixOf(shardOf(queue));
    const name = `${prefix}:${Buffer.from(queueNameOf(queue)).toString('base64')}`;
    return names.some((other) => other === name || other.startsWith(`${name}:`));
  };
  await learnShards(redis, keyspace);
  const idle = [...new Set(kinds.map(({ queue }) => queue))]
    .flatMap((queue) => keyspace.shards.of(queue))
    .filter((queue) => !served(queue))
    .map((queue) => (shardOf(queue) === 0 ? queue : `${queueNameOf(queue)} (shard ${shardOf(queue)})`));
  return idle.length === 0
    ? ok(check, 'each kind of job has a worker')
    : problem(
        check,
        `no worker for ${idle.join(', ')}`,
        'Start a worker (npm run worker). WORKER_JOBS selects its kinds of job.',
      );
}
