import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Logs numbered lines until a file exists. A test steers it without Redis. */
export default defineJob({
  name: 'until-file',
  input: z.strictObject({ file: z.string(), everyMs: z.number().default(20) }),
  result: z.object({ lines: z.number() }),
  async run({ file, everyMs }, ctx) {
    let lines = 0;
    while (!existsSync(file)) {
      ctx.log(`line ${++lines}`);
      ctx.progress({ current: lines, unit: 'lines' });
      await sleep(everyMs, undefined, { signal: ctx.signal });
    }
    return { lines };
  },
});
