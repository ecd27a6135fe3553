import { defineJob } from 'headway-jobs';
import { z } from 'zod';
import { openRedis } from '../support/job-redis.js';

const note = async (list: string): Promise<void> => {
  const redis = await openRedis();
  await redis.rpush(list, process.pid);
  redis.disconnect();
};

/**
 * Appends its process to the Redis list `checking` while its data is validated, and to `bodies` when `run` is called.
 * In a process with `GATED`, the validation waits until the key `gate` exists.
 */
export default defineJob({
  name: 'gated',
  input: z.strictObject({}).refine(async () => {
    if (!process.env.GATED) return true;
    await note('checking');
    const redis = await openRedis();
    while (!(await redis.exists('gate'))) await new Promise((resolve) => setTimeout(resolve, 5));
    redis.disconnect();
    return true;
  }),
  result: z.null(),
  async run() {
    await note('bodies');
    return null;
  },
});
