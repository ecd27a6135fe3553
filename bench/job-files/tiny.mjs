import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Ends at once and reports nothing. */
export default defineJob({
  name: 'tiny',
  input: z.strictObject({}),
  result: z.null(),
  run: async () => null,
});
