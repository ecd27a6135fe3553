import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reports `count` items of each kind, pausing after every five. Only with `wait` does it await its reports. */
export default defineJob({
  name: 'talker',
  input: z.strictObject({
    count: z.number(),
    groupMs: z.number().default(5),
    size: z.number().default(0),
    wait: z.boolean().default(false),
  }),
  result: z.any(),
  async run({ count, groupMs, size, wait }, ctx) {
    const filler = 'x'.repeat(size);
    for (let i = 0; i < count; i++) {
      const reports = [
        ctx.log(String(i)),
        ctx.emit('tick', { i, filler }),
        ctx.partial(`${i} `),
        ctx.progress({ current: i + 1, total: count }),
      ];
      if (wait) await Promise.all(reports);
      if (i % 5 === 4) await new Promise((resolve) => setTimeout(resolve, groupMs));
    }
    return { count };
  },
});
