import { defineJob } from 'headway';
import { z } from 'zod';

/**
 * Computes for `ms` in a thread without ever yielding. With `reports` it also reports progress continuously and stops
 * when it is aborted.
 */
export default defineJob({
  name: 'burn',
  input: z.strictObject({ ms: z.number(), reports: z.boolean().default(false) }),
  result: z.object({ rounds: z.number() }),
  defaults: { cancelGraceMs: 400 },
  thread: true,
  run({ ms, reports }, ctx) {
    const begun = Date.now();
    let rounds = 0;
    for (let passed = 0; passed < ms; passed = Date.now() - begun) {
      rounds++;
      if (!reports) continue;
      ctx.progress((100 * passed) / ms);
      if (!ctx.signal.aborted) continue;
      ctx.log(`stopping: ${ctx.signal.reason.why}`);
      throw ctx.signal.reason;
    }
    return { rounds };
  },
});
