import { defineJob, PermanentError } from 'headway-jobs';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { openRedis } from '../../support/job-redis.js';

let opened: Promise<Redis> | undefined;

/**
 * A child. It counts its runs in the Redis hash `begun`, by `n`. It completes at once or, with `gate`, when it has taken
 * an item from the Redis list of that name. Its first `fails` runs fail.
 */
export default defineJob({
  name: 'leaf',
  input: z.strictObject({
    n: z.number().int(),
    gate: z.string().optional(),
    fails: z.number().default(0),
    permanent: z.boolean().default(false),
  }),
  result: z.object({ double: z.number() }),
  concurrency: 8,
  async run({ n, gate, fails, permanent }, ctx) {
    opened ??= openRedis(process.env.TURNS_REDIS_URL);
    const redis = await opened;
    const begun = await redis.hincrby('begun', String(n), 1);
    ctx.progress(50);
    while (gate && !(await redis.rpop(gate))) {
      ctx.signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    if (begun <= fails) throw permanent ? new PermanentError('bad apple') : new Error('bad apple');
    return { double: 2 * n };
  },
});
