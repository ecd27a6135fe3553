import { defineExternalJob } from 'headway-jobs';
import { z } from 'zod';

/** Headway checks the data; main.go does the work. */
export default defineExternalJob({
  name: 'collatz',
  description: 'Finds the number with the longest Collatz sequence, in Go',
  input: z.strictObject({ upTo: z.number().int().min(1).max(10_000_000) }),
  result: z.object({ number: z.number(), steps: z.number() }),
  defaults: { attempts: 3 },
});
