import { z } from 'zod';
import { defineJob, PermanentError } from '../../shared/jobs/definition.js';
import type { InternalContext } from '../run/execution.js';

const GONE = 410;

export default defineJob({
  name: 'webhook',
  description: 'Calls the webhook of a finished job.',
  internal: true,
  // A delivery mostly waits for the receiver. A receiver that does not respond must not delay other deliveries.
  concurrency: 50,
  input: z.strictObject({ job: z.string(), body: z.string() }),
  result: z.object({ status: z.number().int(), ms: z.number() }),
  async run({ job, body }, ctx: InternalContext) {
    const began = performance.now();
    const elapsed = (): number => Math.round(performance.now() - began);
    try {
      const status = await ctx.services.deliverWebhook({ id: ctx.jobId, job, body }, ctx.signal);
      const ms = elapsed();
      if (status < 200 || status > 299) throw statusError(status);
      ctx.log('info', `the receiver answered ${status}`, { status, ms });
      return { status, ms };
    } catch (error) {
      if (!ctx.signal.aborted) {
        ctx.log('warn', (error as Error).message, { attempt: ctx.attempt, ms: elapsed() });
      }
      throw error;
    }
  },
});

/**
 * Any status other than 2xx is retried, because receivers fail temporarily in many ways; 410 means that the webhook no
 * longer exists.
 */
function statusError(status: number): Error {
  if (status === GONE) return new PermanentError('the receiver no longer accepts calls (410)');
  const redirects = status >= 300 && status <= 399 ? '; redirects are not followed' : '';
  return new Error(`the receiver answered ${status}${redirects}`);
}
