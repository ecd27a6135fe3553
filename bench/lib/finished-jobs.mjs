// Finished jobs as BullMQ stores them, without running a million jobs.

const AT_ONCE = 5000;

/** Calls `work` for each number from `from` to `to`, many at once. */
export async function inGroups(from, to, work) {
  for (let i = from; i < to; i += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, to - i) }, (_, n) => work(i + n)));
  }
}

/**
 * Writes the keys of one job.
 * @param prefix of the queue's keys, with a colon at the end
 * @param headway the settings that Headway adds to BullMQ's options
 */
export async function writeFinishedJob(redis, prefix, id, timestamp, headway = undefined) {
  await Promise.all([
    redis.hset(prefix + id, {
      name: /^\w+/.exec(id)[0],
      data: JSON.stringify({ count: 3, intervalMs: 10 }),
      opts: JSON.stringify({ attempts: 1, jobId: id, headway }),
      timestamp,
      delay: 0,
      priority: 0,
      processedOn: timestamp + 5,
      finishedOn: timestamp + 40,
      ats: 1,
      atm: 1,
      stc: 0,
      returnvalue: JSON.stringify({ steps: 3 }),
      progress: JSON.stringify({ percent: 100, current: 3, total: 3 }),
    }),
    redis.zadd(`${prefix}completed`, timestamp + 40, id),
  ]);
}
