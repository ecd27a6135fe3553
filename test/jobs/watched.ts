import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Logs each new number of its viewers, and completes when there are two. */
export default defineJob({
  name: 'watched',
  input: z.object({}),
  result: z.array(z.number()),
  async run(_data, ctx) {
    const seen: number[] = [];
    while (seen.at(-1) !== 2) {
      const now = await ctx.watchers();
      if (now !== seen.at(-1)) {
        seen.push(now);
        ctx.log(`watched by ${now}`);
      }
      await sleep(50, undefined, { signal: ctx.signal });
    }
    return seen;
  },
});
