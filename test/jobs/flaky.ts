import { defineJob, PermanentError } from 'headway-jobs';
import { z } from 'zod';

/** Fails its first `failures` attempts, then completes. */
export default defineJob({
  name: 'flaky',
  input: z.strictObject({ failures: z.number(), permanent: z.boolean().default(false) }),
  result: z.object({ attempt: z.number() }),
  defaults: { attempts: 3, backoff: { type: 'fixed', delayMs: 200 } },
  async run({ failures, permanent }, ctx) {
    ctx.progress(10 * ctx.attempt);
    if (ctx.attempt <= failures) throw permanent ? new PermanentError('never') : new Error('no luck');
    return { attempt: ctx.attempt };
  },
});
