import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Returns a result that does not fit its schema. */
export default defineJob({
  name: 'bad-result',
  input: z.strictObject({}),
  result: z.object({ rows: z.number() }),
  // The schema's type would not let this pass.
  run: async () => ({ rows: 'many' as unknown as number }),
});
