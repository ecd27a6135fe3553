import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Logs `lines` lines of `length` characters, as fast as they are taken. */
export default defineJob({
  name: 'long-lines',
  input: z.strictObject({ lines: z.number(), length: z.number() }),
  result: z.object({ lines: z.number() }),
  async run({ lines, length }, ctx) {
    for (let line = 1; line <= lines; line++) {
      await ctx.log(String(line).padEnd(length, '.'));
      ctx.progress({ current: line, total: lines });
      if (line % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { lines };
  },
});
