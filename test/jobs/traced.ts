import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Fails its first attempt; in the second one it starts a child, a `leaf`. */
export default defineJob({
  name: 'traced',
  input: z.strictObject({ n: z.number() }),
  result: z.object({ double: z.number() }),
  defaults: { attempts: 2, backoff: { type: 'fixed', delayMs: 10 } },
  async run({ n }, ctx) {
    if (ctx.attempt === 1) throw new Error('no luck');
    return (await ctx.child('leaf', { n })) as { double: number };
  },
});
