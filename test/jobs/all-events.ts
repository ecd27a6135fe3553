import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Publishes every kind of event that a job can publish. The first attempt fails. */
export default defineJob({
  name: 'all-events',
  input: z.strictObject({}),
  result: z.object({ said: z.string() }),
  events: { 'own.kind': z.object({ at: z.date(), of: z.array(z.string()).optional() }) },
  stages: { first: 1, second: 3 },
  defaults: { attempts: 2, backoff: { type: 'fixed', delayMs: 10 } },
  async run(_data, ctx) {
    ctx.log('a line');
    ctx.log('warn', 'a line', { of: ['fields'] });
    ctx.partial('text');
    ctx.partial({ any: 'value' });
    ctx.emit('own.kind', { at: new Date(0) });
    ctx.stage('first');
    ctx.progress({ current: 1, total: 2, unit: 'things', message: 'half of it' });
    await ctx.child('steps', { count: 1, intervalMs: 1, failAt: 1 }, { onFailure: 'ignore' });
    if (ctx.attempt === 1) throw new Error('the first time');
    return { said: 'everything' };
  },
});
