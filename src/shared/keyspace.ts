import { hashTagOf, inShard, MAX_SHARDS, Shards, splitQueue } from './shards.js';

/** The names of an installation's Redis keys. Installations that share a Redis server differ in the prefix. */
export interface Keyspace {
  /** The prefix of Headway's own keys. */
  readonly prefix: string;
  /** The prefix of BullMQ's keys in the first shard. Its braces put them all into one slot of a Redis Cluster. */
  readonly queuePrefix: string;
  readonly shards: Shards;
  /** Returns the prefix of BullMQ's keys in a shard. */
  prefixOf(shard: number): string;
  /**
   * Returns BullMQ's Redis key of a job, or of a list or set of a queue.
   * @param queue the queue in its shard: see `inShard`
   */
  queueKey(queue: string, suffix: string): string;
  /** Returns BullMQ's qualified name of a queue, as the `parent` of a job has it. */
  qualifiedName(queue: string): string;
  /** Parses a key of {@link queueKey}; `undefined` for a key with another prefix. */
  parseQueueKey(key: string): { queue: string; suffix: string } | undefined;
}

/**
 * @param prefix the `KEY_PREFIX` of the installation
 * @param shards the `QUEUE_SHARDS` of the process
 */
export function createKeyspace(prefix: string, shards = 1): Keyspace {
  const queuePrefix = `{${prefix}}`;
  const prefixes = [queuePrefix];
  function prefixOf(shard: number): string {
    const known = prefixes[shard];
    if (known !== undefined) return known;
    const made = `{${hashTagOf(prefix, shard)}}`;
    prefixes[shard] = made;
    return made;
  }
  const qualifiedName = (queue: string): string => {
    const { shard, name } = splitQueue(queue);
    return `${prefixOf(shard)}:${name}`;
  };
  return Object.freeze({
    prefix,
    queuePrefix,
    shards: new Shards(shards),
    prefixOf,
    qualifiedName,
    queueKey: (queue: string, suffix: string) => `${qualifiedName(queue)}:${suffix}`,
    parseQueueKey(key: string) {
      const end = key.indexOf('}:');
      const tag = key.slice(0, end + 1);
      const shard = tag === queuePrefix ? 0 : Number(/^~(\d+)/.exec(tag.slice(prefix.length + 1))?.[1]);
      if (end < 0 || !(shard < MAX_SHARDS) || tag !== prefixOf(shard)) return undefined;
      const [name = '', ...rest] = key.slice(end + 2).split(':');
      return { queue: inShard(name, shard), suffix: rest.join(':') };
    },
  });
}
