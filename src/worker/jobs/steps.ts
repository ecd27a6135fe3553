import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { defineJob } from '../../shared/jobs/definition.js';

export default defineJob({
  name: 'steps',
  description: 'Counts steps of a given length, and fails at one if asked to. For trying out.',
  input: z.strictObject({
    count: z.number().int().min(0).max(1_000_000).describe('How many steps'),
    intervalMs: z.number().int().min(0).max(3_600_000).describe('How long each step takes, in ms'),
    failAt: z.number().int().min(1).optional().describe('Fail at this step'),
  }),
  result: z.object({ steps: z.number().int() }),
  async run({ count, intervalMs, failAt }, ctx) {
    ctx.log(`${count} steps of ${intervalMs} ms`);
    ctx.progress({ current: 0, total: count, unit: 'steps' });
    for (let step = 1; step <= count; step++) {
      if (intervalMs > 0) await wait(intervalMs, undefined, { signal: ctx.signal });
      // Steps without a wait would keep the process from anything else.
      else if (step % 1000 === 0) await wait(0, undefined, { signal: ctx.signal });
      if (step === failAt) throw new Error(`failed at step ${step}, as asked`);
      ctx.progress({ current: step, total: count, unit: 'steps' });
    }
    return { steps: count };
  },
});
