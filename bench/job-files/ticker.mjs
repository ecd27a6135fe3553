import { defineJob } from 'headway-jobs';
import { z } from 'zod';
import { paceOf } from '../lib/pace.mjs';
import { stamp } from '../lib/stamp.mjs';

/** Reports progress at a fixed pace until it is aborted. The message says when it was reported. */
export default defineJob({
  name: 'ticker',
  input: z.strictObject({ intervalMs: z.number() }),
  result: z.null(),
  async run({ intervalMs }, ctx) {
    const beat = paceOf(intervalMs);
    for (let current = 1; !ctx.signal.aborted; current++) {
      await beat();
      ctx.progress({ current, total: 1_000_000, unit: 'rows', message: stamp() });
    }
    return null;
  },
});
