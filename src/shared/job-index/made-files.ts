import type { RedisClient } from '../redis/client.js';

/** The id of a file, even if it starts within text that only resembles an id. */
const MENTION = /file_(?=([\w-]{27}))/g;
/** A file id as a whole JSON string, which is how results name files. */
const QUOTED = /"(file_[\w-]{27})"/g;

/**
 * Returns the files that a finished job created: those in its result that are not in its data. Data and result may be
 * megabytes, so a script must not search them.
 * @param jobKey the key of the job's hash
 * @returns `finishedOn` for checking that the job has not run again since
 */
export async function madeFiles(
  redis: RedisClient,
  jobKey: string,
): Promise<{ finishedOn: string; files: string[] }> {
  const [finishedOn, result] = await redis.hmget(jobKey, 'finishedOn', 'returnvalue');
  const made = new Set(Array.from((result ?? '').matchAll(QUOTED), ([, id = '']) => id));
  if (made.size > 0) {
    const data = (await redis.hget(jobKey, 'data')) ?? '';
    for (const [prefix, rest] of data.matchAll(MENTION)) made.delete(prefix + rest);
  }
  return { finishedOn: finishedOn ?? '', files: [...made] };
}
