import { defineExternalJob } from 'headway-jobs';
import { z } from 'zod';

/** Headway checks the data; worker.py does the work. */
export default defineExternalJob({
  name: 'primes',
  description: 'Counts the primes up to a number, in Python',
  input: z.strictObject({ upTo: z.number().int().min(2).max(100_000_000) }),
  result: z.object({ count: z.number(), largest: z.number() }),
  defaults: { attempts: 3, backoff: { type: 'exponential', delayMs: 1000 } },
});
