import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Gives its result word by word, as partial results. */
export default defineJob({
  name: 'poem',
  input: z.strictObject({ words: z.string() }),
  result: z.object({ words: z.number() }),
  async run({ words }, ctx) {
    const list = words.split(' ');
    for (const word of list) {
      ctx.partial(`${word} `);
      await sleep(200, undefined, { signal: ctx.signal });
    }
    return { words: list.length };
  },
});
