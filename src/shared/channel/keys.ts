import type { Keyspace } from '../keyspace.js';

/**
 * A valid channel name: 1 to 200 characters that are safe in a Redis key and in a frame. The channels of a tenant are
 * prefixed with the tenant's name and a slash.
 */
const NAME = /^(?:[A-Za-z0-9][A-Za-z0-9._~@-]{0,99}\/)?[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/;

/** The name of a job's channel. It contains the job's id and may be longer. */
const JOB_NAME = /^job:[A-Za-z0-9._:~-]{1,2000}$/;

/** Returns the name. @throws TypeError if it is not a valid channel name */
export function checkChannelName(name: string): string {
  if (!NAME.test(name) && !JOB_NAME.test(name)) {
    throw new TypeError(
      'a channel name must have 1 to 200 characters of A-Z a-z 0-9 . _ : ~ @ - and start with a letter or digit (it may be prefixed with a tenant and a slash)',
    );
  }
  return name;
}

const JOB = 'job:';

/** Returns the name of a job's channel. */
export const jobChannel = (jobId: string): string => JOB + jobId;

/** Returns the id of the job that a channel belongs to; `undefined` if it is not the channel of a job. */
export const jobOfChannel = (channel: string): string | undefined =>
  channel.startsWith(JOB) ? channel.slice(JOB.length) : undefined;

/**
 * Returns the Redis keys of a channel in the order in which the scripts take them. The name is their hash tag: in a Redis
 * Cluster, all of them are in one slot, and so is the sharded Pub/Sub channel, which has the name of the first key.
 */
export function channelKeys(keyspace: Keyspace, name: string): [channel: string, log: string, slots: string] {
  const key = `${keyspace.prefix}:{${name}}`;
  return [key, `${key}:log`, `${key}:slots`];
}

/** Returns all keys that a channel may have, for removing it. Only the scripts use `:order`. */
export function everyChannelKey(keyspace: Keyspace, name: string): string[] {
  const keys = channelKeys(keyspace, name);
  return [...keys, `${keys[0]}:order`];
}
