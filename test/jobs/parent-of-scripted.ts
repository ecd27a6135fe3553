import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Starts a child that a worker in another language runs, and one that fails there. */
export default defineJob({
  name: 'parent-of-scripted',
  input: z.unknown(),
  result: z.unknown(),
  async run(_data, ctx) {
    const good = ctx.child('scripted', {
      attempts: [[{ progress: { current: 1, total: 2 } }, { result: [5] }]],
    });
    const bad = ctx.child('scripted', { attempts: [[{ fail: 'no luck' }]] }, { onFailure: 'ignore' });
    return { good: await good, bad: (await bad) ?? 'failed' };
  },
});
