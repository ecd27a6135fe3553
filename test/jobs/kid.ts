import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** A child that takes 20 ms. */
export default defineJob({
  name: 'kid',
  input: z.any(),
  result: z.any(),
  queue: 'kids',
  run: ({ n }) => new Promise((resolve) => setTimeout(resolve, 20, n)),
});
