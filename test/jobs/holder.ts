import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Runs until it is aborted in its first attempt; completes at once in a later one. */
export default defineJob({
  name: 'holder',
  input: z.strictObject({}),
  result: z.any(),
  run: (_data, ctx) =>
    new Promise((resolve, reject) => {
      if (ctx.attempt > 1) return resolve(null);
      ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason));
    }),
});
