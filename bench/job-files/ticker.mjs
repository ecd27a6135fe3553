import { defineJob } from 'headway';
import { z } from 'zod';

/** Reports its progress at a fixed pace for ever. The message is what the viewers count by. */
export default defineJob({
  name: 'ticker',
  input: z.strictObject({ intervalMs: z.number() }),
  result: z.null(),
  async run({ intervalMs }, ctx) {
    for (let current = 1; !ctx.signal.aborted; current++) {
      ctx.progress({ current: current % 1_000_000, total: 1_000_000, unit: 'rows', message: '"mark"' });
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
    return null;
  },
});
