import { setTimeout as wait } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

// Each export is a job. Add yours here: server and worker take all of them.

export const greet = defineJob({
  name: 'greet',
  input: z.object({ names: z.array(z.string()).min(1) }),
  result: z.object({ greeted: z.number() }),
  events: { greeting: z.object({ text: z.string() }) },
  async run({ names }, ctx) {
    for (const [i, name] of names.entries()) {
      await wait(500, null, { signal: ctx.signal }); // your work
      ctx.emit('greeting', { text: `Hello, ${name}!` });
      ctx.progress({ current: i + 1, total: names.length });
    }
    return { greeted: names.length };
  },
});
