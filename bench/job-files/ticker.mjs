import { defineJob } from 'headway';
import { z } from 'zod';
import { paceOf } from '../lib/pace.mjs';

/** Reports its progress at a fixed pace for ever. The message is what the viewers count by. */
export default defineJob({
  name: 'ticker',
  input: z.strictObject({ intervalMs: z.number() }),
  result: z.null(),
  async run({ intervalMs }, ctx) {
    const beat = paceOf(intervalMs);
    for (let current = 1; !ctx.signal.aborted; current++) {
      await beat();
      ctx.progress({ current, total: 1_000_000, unit: 'rows', message: '"mark"' });
    }
    return null;
  },
});
