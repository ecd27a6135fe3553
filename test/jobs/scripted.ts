import { defineExternalJob } from 'headway-jobs';
import { z } from 'zod';

/** Run by the workers of test/support/scripted-worker. */
export default defineExternalJob({
  name: 'scripted',
  input: z.object({ attempts: z.array(z.array(z.record(z.string(), z.unknown()))) }),
  result: z.unknown(),
});
