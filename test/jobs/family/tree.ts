import { ChildFailedError, type ChildOptions, defineJob } from 'headway-jobs';
import { z } from 'zod';
import leaf from './leaf.js';

/** Starts `count` leaves and awaits them in the way that `choice` names. Leaf number `bad` fails `fails` times. */
export default defineJob({
  name: 'tree',
  input: z.strictObject({
    count: z.number().int(),
    gate: z.string().optional(),
    fails: z.number().default(0),
    permanent: z.boolean().default(false),
    bad: z.number().default(1),
    choice: z.enum(['all', 'settled', 'ignore', 'fail', 'leave']).default('all'),
    throwAfter: z.boolean().default(false),
  }),
  result: z.any(),
  async run({ count, gate, fails, permanent, bad, choice, throwAfter }, ctx) {
    const options: ChildOptions = choice === 'ignore' || choice === 'fail' ? { onFailure: choice } : {};
    const children = Array.from({ length: count }, (_, n) =>
      ctx.child(leaf, { n, gate, ...(n === bad ? { fails, permanent } : {}) }, options),
    );
    if (choice === 'leave') {
      await Promise.race(children);
      if (throwAfter) throw new Error('asked to fail');
      return { left: count };
    }
    if (choice === 'settled') {
      const ends = await Promise.allSettled(children);
      return ends.map((end) => {
        if (end.status === 'fulfilled') return end.value?.double;
        const { reason } = end;
        return { childFailed: reason instanceof ChildFailedError, ...reason, message: reason.message };
      });
    }
    if (choice === 'fail') {
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)));
    }
    const results = await Promise.all(children);
    return {
      sum: results.reduce((sum, result) => sum + (result?.double ?? 0), 0),
      missing: results.filter((result) => !result).length,
    };
  },
});
