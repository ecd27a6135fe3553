import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { defineJob } from '../../shared/jobs/definition.js';

const input = z.strictObject({
  count: z
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .meta({ description: 'Number of steps', examples: [50] }),
  intervalMs: z
    .number()
    .int()
    .min(0)
    .max(3_600_000)
    .meta({ description: 'Duration of each step in ms', examples: [100] }),
  failAt: z.number().int().min(1).optional().describe('Fail at this step'),
});

/** Steps that take at most some hours. */
const withinHours = (hours: number) =>
  input
    .refine(({ count, intervalMs }) => count * intervalMs <= hours * 3_600_000, {
      path: ['count'],
      error: `count × intervalMs must be at most ${hours} h (${hours * 3_600_000} ms)`,
    })
    .describe(`\`count\` × \`intervalMs\` is at most ${hours} h`);

export default defineJob({
  name: 'steps',
  description: 'Counts steps of a given length, and can fail at one of them. For testing.',
  input,
  limits: { anonymous: withinHours(1), signedIn: withinHours(24) },
  result: z.object({ steps: z.number().int() }),
  async run({ count, intervalMs, failAt }, ctx) {
    ctx.log(`${count} steps of ${intervalMs} ms`);
    ctx.progress({ current: 0, total: count, unit: 'steps' });
    for (let step = 1; step <= count; step++) {
      if (intervalMs > 0) await wait(intervalMs, undefined, { signal: ctx.signal });
      // Steps without a delay would block the event loop.
      else if (step % 1000 === 0) await wait(0, undefined, { signal: ctx.signal });
      if (step === failAt) throw new Error(`failed at step ${step}, as asked`);
      ctx.progress({ current: step, total: count, unit: 'steps' });
    }
    return { steps: count };
  },
});
