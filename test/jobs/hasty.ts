import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reports progress immediately before it ends. */
export default defineJob({
  name: 'hasty',
  input: z.strictObject({ fail: z.boolean() }),
  result: z.object({}),
  async run({ fail }, ctx) {
    ctx.progress(1);
    ctx.progress(90);
    if (fail) throw new Error('asked to fail');
    return {};
  },
});
