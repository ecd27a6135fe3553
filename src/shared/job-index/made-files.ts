import type { Cluster, Redis } from 'ioredis';

/** A file's id; one may begin within what only looks like another. */
const MENTION = /file_(?=([\w-]{27}))/g;
/** As a string of its own: this is how a result names its files. */
const QUOTED = /"(file_[\w-]{27})"/g;

/**
 * The files that a finished job made: those in its result that it was not given. They are looked for here, and not in a
 * script, because data and results may be megabytes.
 * @param jobKey the job's hash
 * @returns `finishedOn` tells whether the job is still the one that was read
 */
export async function madeFiles(
  redis: Redis | Cluster,
  jobKey: string,
): Promise<{ finishedOn: string; files: string[] }> {
  const [finishedOn, result] = await redis.hmget(jobKey, 'finishedOn', 'returnvalue');
  const made = new Set(Array.from((result ?? '').matchAll(QUOTED), ([, id]) => id!));
  if (made.size > 0) {
    const data = (await redis.hget(jobKey, 'data')) ?? '';
    for (const [prefix, rest] of data.matchAll(MENTION)) made.delete(prefix + rest);
  }
  return { finishedOn: finishedOn ?? '', files: [...made] };
}
