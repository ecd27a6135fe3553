import { defineJob } from 'headway-jobs';
import { z } from 'zod';
import { openRedis } from '../support/job-redis.js';

/**
 * Appends its process, and how many of these jobs that process runs, to the Redis list `begun`. Completes when it has
 * taken an item from the list `tokens`. Tests give it other names and limits.
 */
export default defineJob({
  name: 'metered',
  input: z.strictObject({}),
  result: z.null(),
  async run(_data, ctx) {
    const redis = await openRedis(process.env.TURNS_REDIS_URL);
    try {
      const running = await redis.incr(`running:${process.pid}`);
      await redis.rpush('begun', `${process.pid} ${running}`);
      while (!(await redis.brpop('tokens', 1))) ctx.signal.throwIfAborted();
      await redis.decr(`running:${process.pid}`);
      return null;
    } finally {
      redis.disconnect();
    }
  },
});
