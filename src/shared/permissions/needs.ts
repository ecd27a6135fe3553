import type { Keyspace } from '../keyspace.js';

/**
 * The commands that Headway and BullMQ send or call in scripts, each as a valid call. K is a key, C a Pub/Sub channel. A
 * test compares the list with the scripts, and another one runs Headway as a user that may do nothing else.
 */
const CALLS = `
  get K, mget K, set K v, setrange K 0 v, incr K, incrby K 1
  del K, unlink K, exists K, type K, rename K K, copy K K, persist K, pexpire K 1, pexpireat K 1, pttl K
  hget K f, hmget K f, hgetall K, hkeys K, hvals K, hlen K, hstrlen K f, hexists K f, hscan K 0
  hset K f v, hsetnx K f v, hmset K f v, hincrby K f 1, hdel K f
  lindex K 0, llen K, lpos K v, lrange K 0 1, lset K 0 v, ltrim K 0 1, lrem K 1 v
  lpush K v, rpush K v, lpop K, rpop K, rpoplpush K K
  sadd K v, srem K v, scard K, sismember K v, smembers K, sscan K 0
  zadd K 1 v, zrem K v, zcard K, zscore K v, zcount K 0 1, zlexcount K - +, zscan K 0
  zrange K 0 1, zrangebylex K - +, zrangebyscore K 0 1, zrevrange K 0 1, zrevrangebylex K + -, zrevrangebyscore K 1 0
  zpopmin K, bzpopmin K 1, zremrangebyrank K 0 1, zremrangebyscore K 0 1
  xadd K * f v, xdel K 1-1, xlen K, xrange K - +, xrevrange K + -, xread STREAMS K 0, xtrim K MAXLEN 1
  publish C m, subscribe C, unsubscribe
  eval s 1 K, evalsha s 1 K, script|exists s, script|load s, multi, exec
  ping, time, info, command|info get, client|setname n
`;
/** Sharded Pub/Sub, from Redis 7. */
const SHARDED_CALLS = 'spublish C m, ssubscribe C, sunsubscribe';
/** What connections to a Redis Cluster need in addition. */
const CLUSTER_CALLS = 'cluster|slots, cluster|info, readonly, readwrite, asking';
/** What Headway does without, if it is refused: workers of other programs are not noticed then. */
const OPTIONAL_CALLS = 'client|list';

const split = (calls: string): string[] => calls.trim().split(/\s*[,\n]\s*/);

/** A command that is needed, as it is named in the rules of a user: `xadd`, `client|setname`. */
export interface NeededCall {
  command: string;
  /** The words of a call: command, subcommand and arguments. */
  words: string[];
  isOptional: boolean;
}

/** The patterns of the keys and Pub/Sub channels of an installation, each with an example. */
export const patterns = ({ prefix, queuePrefix, prefixOf }: Keyspace) => [
  { rule: `~${queuePrefix}*`, pattern: `keys ${queuePrefix}*`, example: `${queuePrefix}:acl` },
  // Of the shards after the first.
  { rule: `~{${prefix}~*`, pattern: `keys {${prefix}~*`, example: `${prefixOf(1)}:acl` },
  { rule: `~${prefix}:*`, pattern: `keys ${prefix}:*`, example: `${prefix}:{acl}` },
  { rule: `&${prefix}:*`, pattern: `channels ${prefix}:*`, example: `${prefix}:acl` },
];

/**
 * Returns calls of each command that an installation needs, with keys and channels of its own.
 * @param isCluster whether it is on a Redis Cluster. Defaults to false
 */
export function neededCalls(keyspace: Keyspace, isCluster = false): NeededCall[] {
  const [queueKey, shardKey, channelKey, pubSub] = patterns(keyspace).map(({ example }) => example);
  const parse =
    (isOptional: boolean, key = queueKey) =>
    (call: string): NeededCall => {
      const [command = '', ...rest] = call.split(' ');
      const given = rest.map((word) => (word === 'K' ? key : word === 'C' ? pubSub : word) ?? '');
      return { command, words: [...command.split('|'), ...given], isOptional };
    };
  return [
    ...split(`${CALLS}, ${SHARDED_CALLS}`).map(parse(false)),
    ...(isCluster ? split(CLUSTER_CALLS).map(parse(false)) : []),
    // The same commands are sent with the other keys.
    ...['get K', 'set K v'].map(parse(false, channelKey)),
    // Only with several shards.
    ...(keyspace.shards.placed > 1 ? ['get K', 'set K v'].map(parse(false, shardKey)) : []),
    ...split(OPTIONAL_CALLS).map(parse(true)),
  ];
}

/**
 * Returns the rules for a user that may do what Headway needs, and nothing else.
 * @param sharded whether the server has sharded Pub/Sub, which servers before Redis 7 do not know
 * @param isCluster whether it is a node of a Redis Cluster
 */
export function userRules(keyspace: Keyspace, { sharded = true, isCluster = false } = {}): string[] {
  const calls = [
    CALLS,
    ...(sharded ? [SHARDED_CALLS] : []),
    ...(isCluster ? [CLUSTER_CALLS] : []),
    OPTIONAL_CALLS,
  ].flatMap(split);
  const commands = calls.map((call) => `+${call.split(' ', 1)[0]}`);
  return [...patterns(keyspace).map(({ rule }) => rule), ...commands];
}
