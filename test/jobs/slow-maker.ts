import { writeFile } from 'node:fs/promises';
import { defineJob, resultFile } from 'headway-jobs';
import { z } from 'zod';
import { openRedis } from '../support/job-redis.js';

/** Creates a file, adds its id to the Redis list `made`, and returns it once the list `go` has an item. */
export default defineJob({
  name: 'slow-maker',
  input: z.strictObject({}),
  result: z.object({ made: resultFile }),
  async run(_data, ctx) {
    const redis = await openRedis();
    const made = await ctx.files.create('made.txt', (path) => writeFile(path, 'made'));
    await redis.lpush('made', made.id);
    await redis.brpop('go', 60);
    redis.disconnect();
    return { made };
  },
});
