import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Logs `lines` short lines, a few of them warnings. */
export default defineJob({
  name: 'many-lines',
  input: z.strictObject({ lines: z.number() }),
  result: z.null(),
  async run({ lines }, ctx) {
    for (let i = 0; i < lines; i++) await ctx.log(i % 1000 === 7 ? 'warn' : 'info', `line ${i}`, { row: i });
    return null;
  },
});
