import { writeFile } from 'node:fs/promises';
import { defineJob, resultFile } from 'headway';
import { Redis } from 'ioredis';
import { z } from 'zod';

/** Creates a file, adds its id to the Redis list `made`, and returns it once the list `go` has an item. */
export default defineJob({
  name: 'slow-maker',
  input: z.strictObject({}),
  result: z.object({ made: resultFile }),
  async run(_data, ctx) {
    const redis = new Redis(process.env.REDIS_URL!);
    const made = await ctx.files.create('made.txt', (path) => writeFile(path, 'made'));
    await redis.lpush('made', made.id);
    await redis.brpop('go', 60);
    redis.disconnect();
    return { made };
  },
});
