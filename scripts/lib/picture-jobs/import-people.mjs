import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** The job of the pictures: it follows the instructions in its data. Its texts include right-to-left writing. */
export default defineJob({
  name: 'import-people',
  description: 'Does what its data says',
  concurrency: 20,
  // A job that ignores its cancellation has to stay in that state for the picture.
  defaults: { cancelGraceMs: 60_000 },
  input: z.strictObject({ turns: z.array(z.string()) }),
  result: z.object({ rows: z.number(), note: z.string() }),
  async run({ turns }, ctx) {
    for (const turn of turns) {
      const [verb, text = ''] = turn.split(/ (.*)/);
      if (verb === 'wait') await sleep(Number(text), undefined, { signal: ctx.signal });
      else if (verb === 'stubborn') await sleep(Number(text));
      else if (verb === 'fail') throw new Error(text);
      else if (verb === 'log') await ctx.log(text);
      else ctx.progress({ ...JSON.parse(turn), unit: 'rows' });
    }
    return { rows: 1000, note: 'תוצאה: everything imported' };
  },
});
