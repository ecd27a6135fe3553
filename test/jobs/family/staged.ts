import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reports numbers in its first stage. Its children move the second stage, and in the third its own reports replace theirs. */
export default defineJob({
  name: 'staged',
  input: z.any(),
  result: z.any(),
  stages: { plan: 1, children: 2 },
  async run(_, ctx) {
    ctx.stage('plan');
    ctx.progress({ current: 1, total: 1 });
    ctx.stage('children');
    ctx.progress({ message: 'Waiting for two' });
    const children = [1, 3].map((weight, n) =>
      ctx.child<{ double: number }>('leaf', { n, gate: `gate${n}` }, { weight, key: `c${n}` }),
    );
    const again = ctx.child<{ double: number }>('leaf', { n: 0 }, { key: 'c0' });
    await Promise.all(children);
    ctx.stage('rest', { weight: 1 });
    ctx.progress({ current: 1, total: 10, unit: 'things' });
    await ctx.child('leaf', { n: 2 });
    return { same: (await again).double === (await children[0]!).double };
  },
});
