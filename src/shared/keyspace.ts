/** The names of an installation's Redis keys. Installations that share a Redis server differ in the prefix. */
export interface Keyspace {
  /** The prefix of Headway's own keys. */
  readonly prefix: string;
  /** The prefix of BullMQ's keys. Its braces put them all into one slot of a Redis Cluster. */
  readonly queuePrefix: string;
  /** Returns BullMQ's Redis key of a job, or of a list or set of a queue. */
  queueKey(queue: string, suffix: string): string;
}

/** @param prefix the `KEY_PREFIX` of the installation */
export function createKeyspace(prefix: string): Keyspace {
  const queuePrefix = `{${prefix}}`;
  return Object.freeze({
    prefix,
    queuePrefix,
    queueKey: (queue: string, suffix: string) => `${queuePrefix}:${queue}:${suffix}`,
  });
}
