/**
 * What a channel may be called: 1 to 200 characters, none of which can leave its key or its frame. The channels of a
 * tenant have its name and a slash before theirs.
 */
const NAME = /^(?:[A-Za-z0-9][A-Za-z0-9._~@-]{0,99}\/)?[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/;

/** The channel of a job has the job's id in its name, which may be longer. */
const JOB_NAME = /^job:[A-Za-z0-9._:~-]{1,2000}$/;

/** @throws TypeError for a name that no channel can have */
export function checkChannelName(name: string): string {
  if (!NAME.test(name) && !JOB_NAME.test(name)) {
    throw new TypeError(
      'a channel name has 1 to 200 of A-Z a-z 0-9 . _ : ~ @ - and starts with a letter or a digit (the name of a tenant and a slash may stand before)',
    );
  }
  return name;
}

const JOB = 'job:';

/** The channel of a job. */
export const jobChannel = (jobId: string): string => JOB + jobId;

/** The job that a channel belongs to; `undefined` for a channel of its own. */
export const jobOfChannel = (channel: string): string | undefined =>
  channel.startsWith(JOB) ? channel.slice(JOB.length) : undefined;

/**
 * The Redis keys of a channel, in the order in which the scripts take them. The name is their hash tag, so
 * that on a Redis Cluster all of them (and the sharded Pub/Sub channel, named as the first) are in one slot.
 */
export function channelKeys(prefix: string, name: string): [channel: string, log: string, slots: string] {
  const key = `${prefix}:{${name}}`;
  return [key, `${key}:log`, `${key}:slots`];
}

/** All keys that a channel may have: what removes a channel removes these. `:order` is the scripts' own. */
export function everyChannelKey(prefix: string, name: string): string[] {
  const keys = channelKeys(prefix, name);
  return [...keys, `${keys[0]}:order`];
}
