/** The job of the pictures: it does what its data says, line by line. Its texts are in two directions of writing. */
export const SHOWN_JOB = (name, concurrency) => `
import { setTimeout as wait } from 'node:timers/promises';
import { defineJob } from 'headway';
import { z } from 'zod';

export default defineJob({
  name: '${name}',
  description: 'Does what its data says',
  concurrency: ${concurrency},
  // One that was asked to stop, and does not, stays so for the picture.
  defaults: { cancelGraceMs: 60_000 },
  input: z.strictObject({ turns: z.array(z.string()) }),
  result: z.object({ rows: z.number(), note: z.string() }),
  async run({ turns }, ctx) {
    for (const turn of turns) {
      const [verb, what = ''] = turn.split(/ (.*)/);
      if (verb === 'wait') await wait(Number(what), undefined, { signal: ctx.signal });
      else if (verb === 'stubborn') await wait(Number(what));
      else if (verb === 'fail') throw new Error(what);
      else if (verb === 'log') await ctx.log(what);
      else ctx.progress({ ...JSON.parse(turn), unit: 'rows' });
    }
    return { rows: 1000, note: 'תוצאה: everything imported' };
  },
});
`;
