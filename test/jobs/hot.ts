import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reports progress `updates` times in a hot loop, and returns how long that took. */
export default defineJob({
  name: 'hot',
  input: z.strictObject({ updates: z.number() }),
  result: z.object({ ms: z.number() }),
  async run({ updates }, ctx) {
    const begun = Date.now();
    for (let current = 1; current <= updates; current++) {
      ctx.progress({ current, total: updates });
      if (current % 10_000 === 0) await new Promise(setImmediate);
    }
    return { ms: Date.now() - begun };
  },
});
