import { z } from 'zod';
import { defineJob, PermanentError } from '../../shared/jobs/definition.js';
import type { InternalContext } from '../run/internal.js';

const GONE = 410;

export default defineJob({
  name: 'webhook',
  description: 'Calls the webhook of a job that has come to its end.',
  internal: true,
  // It waits for others most of the time; one that does not answer must not hold up the rest.
  concurrency: 50,
  input: z.strictObject({ job: z.string(), body: z.string() }),
  result: z.object({ status: z.number().int(), ms: z.number() }),
  async run({ job, body }, ctx: InternalContext) {
    const began = performance.now();
    const passed = (): number => Math.round(performance.now() - began);
    try {
      const status = await ctx.services.deliverWebhook({ id: ctx.jobId, job, body }, ctx.signal);
      const ms = passed();
      if (status < 200 || status > 299) throw refused(status);
      ctx.log('info', `the receiver answered ${status}`, { status, ms });
      return { status, ms };
    } catch (error) {
      if (!ctx.signal.aborted) {
        ctx.log('warn', (error as Error).message, { attempt: ctx.attempt, ms: passed() });
      }
      throw error;
    }
  },
});

/** Everything but a success is tried again, since a receiver may be broken in any way for a while; 410 says that it will not be back. */
function refused(status: number): Error {
  if (status === GONE) return new PermanentError('the receiver is gone (410)');
  const redirects = status >= 300 && status <= 399 ? ': redirects are not followed' : '';
  return new Error(`the receiver answered ${status}${redirects}`);
}
