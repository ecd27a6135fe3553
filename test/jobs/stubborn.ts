import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/**
 * Reports progress until it is aborted. If `polite`, it then logs the reason, cleans up for `tidyMs` and throws the
 * reason. Otherwise it ignores the signal and completes after `lastsMs`.
 */
export default defineJob({
  name: 'stubborn',
  input: z.strictObject({
    polite: z.boolean(),
    tidyMs: z.number().default(0),
    lastsMs: z.number().default(60_000),
  }),
  result: z.object({ done: z.boolean() }),
  defaults: { cancelGraceMs: 400 },
  async run({ polite, tidyMs, lastsMs }, ctx) {
    const end = Date.now() + lastsMs;
    for (let i = 0; Date.now() < end; i++) {
      ctx.progress(i % 100);
      if (polite && ctx.signal.aborted) {
        ctx.log(`stopping: ${ctx.signal.reason.why}`);
        await sleep(tidyMs);
        ctx.log('tidied up');
        throw ctx.signal.reason;
      }
      await sleep(5);
    }
    ctx.log('done after all');
    return { done: true };
  },
});
