import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Starts two children and awaits them. It uses no Redis of its own. */
export default defineJob({
  name: 'parent-of-two',
  input: z.any(),
  result: z.any(),
  run: (_, ctx) => Promise.all([1, 2].map((n) => ctx.child('kid', { n }))),
});
