import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Waits on it only end by their time limit. */
const never = new Int32Array(new SharedArrayBuffer(4));

/**
 * Computes for `ms` in a thread without ever yielding. With `reports` it also reports progress continuously and stops
 * when it is aborted. With `sleeps` it never yields either, but its thread sleeps, which spares the machine.
 */
export default defineJob({
  name: 'burn',
  input: z.strictObject({
    ms: z.number(),
    reports: z.boolean().default(false),
    sleeps: z.boolean().default(false),
  }),
  result: z.object({ rounds: z.number() }),
  defaults: { cancelGraceMs: 400 },
  thread: true,
  run({ ms, reports, sleeps }, ctx) {
    const begun = Date.now();
    let rounds = 0;
    for (let passed = 0; passed < ms; passed = Date.now() - begun) {
      rounds++;
      if (sleeps) Atomics.wait(never, 0, 0, 5);
      if (!reports) continue;
      ctx.progress((100 * passed) / ms);
      if (!ctx.signal.aborted) continue;
      ctx.log(`stopping: ${ctx.signal.reason.why}`);
      throw ctx.signal.reason;
    }
    return { rounds };
  },
});
