import { ChildFailedError, defineJob } from 'headway-jobs';
import { z } from 'zod';

/**
 * A parent in a thread. `stages`: it changes its stage right after it has started its children. `reason`: it logs the
 * reason with which its signal is aborted when a child fails. `uncloneable`: it gives a child data that cannot be sent.
 */
export default defineJob({
  name: 'curious',
  thread: true,
  input: z.strictObject({ how: z.enum(['stages', 'reason', 'uncloneable']) }),
  result: z.any(),
  stages: { first: 1, second: 1 },
  async run({ how }, ctx) {
    if (how === 'uncloneable') return ctx.child('leaf', { n: () => 1 }).catch((error) => error.name);
    ctx.stage('first');
    const failing = how === 'reason';
    const children = [1, 2].map((n) =>
      ctx.child('leaf', { n, fails: failing ? 1 : 0 }, { onFailure: failing ? 'fail' : 'reject' }),
    );
    if (how === 'stages') {
      ctx.stage('second');
      await Promise.all(children);
      return {};
    }
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
    const { why, cause } = ctx.signal.reason;
    const waiting = await children[1]!.catch((error) => error);
    ctx.log(
      JSON.stringify({
        why,
        childFailed: cause instanceof ChildFailedError,
        name: cause.jobName,
        same: waiting === ctx.signal.reason,
      }),
    );
    throw ctx.signal.reason;
  },
});
